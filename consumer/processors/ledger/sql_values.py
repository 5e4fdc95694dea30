"""Values as the JSON that PostgreSQL makes rows of. Pure.

A batch's rows are one parameter, whatever their columns' types: json_populate_recordset gives each JSON text,
number, list or object to the input function of the column's own type. Numbers stay text until then, so that
all their digits arrive (PostgreSQL documentation, "JSON Functions and Operators").
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from consumer.attributes import Plain
from consumer.processors.keys import plain_key_values


class ColumnValues:
    """Makes the JSON of one table's rows."""

    def __init__(self, key: Sequence[str], types: Mapping[str, str]) -> None:
        """Take the key's columns, in the order of the settings, and every column's type."""
        self._key = tuple(key)
        self._forms = {name: form for name, type_ in types.items() if (form := _form_of(type_)) is not None}
        self._encode = msgspec.json.Encoder(decimal_format="number").encode

    def key(self, text: str) -> dict[str, Plain]:
        """A key's values, of the text that a ledger holds it under.

        Numbers as they are mostly written, in a column of texts too: 100 and not 1E+2.
        """
        return {
            name: Decimal(f"{value:f}") if isinstance(value, Decimal) else value
            for name, value in zip(self._key, plain_key_values(text), strict=True)
        }

    def encode(self, values: Mapping[str, Plain]) -> bytes:
        """A row's values by their columns."""
        if not self._forms:
            return self._encode(values)
        return self._encode(
            {
                name: self._forms[name](value) if name in self._forms and value is not None else value
                for name, value in values.items()
            }
        )


def recordset(rows: Iterable[bytes]) -> str:
    """The parameter of many rows."""
    return f"[{b','.join(rows).decode()}]"


def _form_of(type_: str) -> Callable[[Plain], object] | None:
    element = type_.removesuffix("[]")
    form = _FORMS.get(element)
    if form is None or element == type_:
        return form
    return lambda value: [form(part) for part in value] if isinstance(value, list) else value


def _binary(value: Plain) -> object:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value


def _whole(value: Plain) -> object:
    """1E+2 and 5.0 are whole numbers, which PostgreSQL's integers don't take in this spelling."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


_FORMS: Mapping[str, Callable[[Plain], object]] = {
    "bytea": _binary,
    "smallint": _whole,
    "integer": _whole,
    "bigint": _whole,
}
"""What is written otherwise than JSON writes it, by the column's type."""
