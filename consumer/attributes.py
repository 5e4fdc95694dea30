"""DynamoDB JSON <-> Python values, the canonical form of an image, and its digest.

Source of the format: DynamoDB API Reference, AttributeValue.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, InvalidOperation
from hashlib import blake2b
from typing import cast

import msgspec
import orjson

from consumer.errors import Rejected
from consumer.record import AttributeValue, Image

NO_IMAGE_DIGEST = "-"
"""The digest of an item that is not there."""

RESERVED = "_tidemark"
"""The attribute that Tidemark keeps for itself in the rows it writes."""

_EXACT = Context(prec=300)
_MOST_DIGITS = 38
_MALFORMED = (ArithmeticError, AttributeError, RecursionError, TypeError, ValueError)
"""What walking through something that only looks like an image may raise."""

Plain = None | bool | Decimal | str | bytes | list["Plain"] | dict[str, "Plain"]


def decode_image(raw: msgspec.Raw | bytes) -> Image:
    """An image's raw JSON as attribute values.

    Raises:
        Rejected: it is not a map of attribute values.
    """
    try:
        image = orjson.loads(memoryview(raw))
    except orjson.JSONDecodeError as error:
        message = f"the image is not JSON: {error}"
        raise Rejected(message, code="BadImage") from error
    if isinstance(image, dict):
        for value in image.values():
            if not isinstance(value, dict) or len(value) != 1:
                break
        else:
            return image
    raise Rejected("the image is not a map of attribute values", code="BadImage")


def digest(image: Mapping[str, AttributeValue] | None) -> str:
    """32 hexadecimal digits that are equal for equal items.

    The order of attributes and sets and the spelling of numbers make no difference.

    Raises:
        Rejected: a value inside is malformed.
    """
    if image is None:
        return NO_IMAGE_DIGEST
    try:
        canonical = {name: _canonical(value) for name, value in image.items() if name != RESERVED}
        text = orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)
    except _MALFORMED as error:
        raise _bad_image(error) from error
    return blake2b(text, digest_size=16).hexdigest()


def _bad_image(error: Exception) -> Rejected:
    return Rejected(f"the image has a malformed value: {error}", code="BadImage")


def _canonical(value: AttributeValue) -> AttributeValue:
    ((kind, content),) = value.items()
    form = _CANONICAL.get(kind)
    return value if form is None else {kind: form(content)}


def _number(text: object) -> Decimal:
    try:
        return Decimal(cast("str", text))
    except InvalidOperation:
        message = f"{text!r} is not a number"
        raise ValueError(message) from None


_IS_CANONICAL = re.compile(r"[1-9](?:[0-9]{0,36}[1-9])?|[1-9][0-9]{0,18}\.[0-9]{0,17}[1-9]").fullmatch
"""Most numbers are: no zeros at their ends, and no exponent."""


def canonical_number(text: object) -> str:
    """A number's text as all equal numbers have it; raises ValueError where it is none."""
    if isinstance(text, str) and _IS_CANONICAL(text):
        return text
    number = _number(text)
    return str(number.normalize(_EXACT)) if number else "0"


_CANONICAL: Mapping[str, Callable[[object], object]] = {
    "N": canonical_number,
    "NS": lambda content: sorted(canonical_number(text) for text in cast("list[str]", content)),
    "SS": lambda content: sorted(cast("list[str]", content)),
    "BS": lambda content: sorted(cast("list[str]", content)),
    "L": lambda content: [_canonical(value) for value in cast("list[AttributeValue]", content)],
    "M": lambda content: {name: _canonical(value) for name, value in cast("Image", content).items()},
}


def to_plain(value: AttributeValue) -> Plain:
    """A value as expressions see it: numbers are exact decimals, sets are lists in order, binary is bytes."""
    (kind,) = value
    content = value[kind]
    if kind == "S" and isinstance(content, str):
        return content  # most are texts: no call for those
    form = _PLAIN.get(kind)
    if form is None:
        message = f"unknown attribute type {kind!r}"
        raise Rejected(message, code="BadImage")
    return form(content)


def image_to_plain(image: Image) -> dict[str, Plain]:
    """Every attribute of an image as expressions see it.

    Raises:
        Rejected: a value is malformed.
    """
    try:
        return {name: to_plain(value) for name, value in image.items()}
    except _MALFORMED as error:
        raise _bad_image(error) from error


_PLAIN: Mapping[str, Callable[[object], Plain]] = {
    "S": lambda content: cast("str", content),
    "N": _number,
    "B": lambda content: base64.b64decode(cast("str", content)),
    "BOOL": lambda content: cast("bool", content),
    "NULL": lambda _: None,
    "SS": lambda content: list[Plain](sorted(cast("list[str]", content))),
    "NS": lambda content: list[Plain](sorted(_number(text) for text in cast("list[str]", content))),
    "BS": lambda content: [base64.b64decode(text) for text in cast("list[str]", content)],
    "L": lambda content: [to_plain(value) for value in cast("list[AttributeValue]", content)],
    "M": lambda content: image_to_plain(cast("Image", content)),
}


def from_plain(value: Plain | int) -> AttributeValue:
    """A computed value as DynamoDB stores it.

    Raises:
        Rejected: a number DynamoDB can't hold (over 38 digits), or a type it doesn't have.
    """
    for kind, form in _FROM_PLAIN:
        if isinstance(value, kind):
            return form(value)
    message = f"a {type(value).__name__} can't be kept in DynamoDB"
    raise Rejected(message, code="BadValue")


_FROM_PLAIN: Sequence[tuple[type, Callable[[object], AttributeValue]]] = (
    (type(None), lambda _: {"NULL": True}),
    (str, lambda value: {"S": value}),
    (bool, lambda value: {"BOOL": value}),  # before int, which a bool is too
    (int, lambda value: {"N": _number_text(Decimal(cast("int", value)))}),
    (Decimal, lambda value: {"N": _number_text(cast("Decimal", value))}),
    (bytes, lambda value: {"B": base64.b64encode(cast("bytes", value)).decode("ascii")}),
    (list, lambda value: {"L": [from_plain(element) for element in cast("list[Plain]", value)]}),
    (
        dict,
        lambda value: {
            "M": {name: from_plain(part) for name, part in cast("dict[str, Plain]", value).items()}
        },
    ),
)


def _number_text(number: Decimal) -> str:
    if not number.is_finite() or len(number.normalize(_EXACT).as_tuple().digits) > _MOST_DIGITS:
        message = f"{number} is not a number of at most {_MOST_DIGITS} digits"
        raise Rejected(message, code="NumberOutOfRange")
    return str(number)
