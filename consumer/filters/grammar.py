"""A pattern's values -> what each of its fields may be; or all that is wrong with it."""

from dataclasses import dataclass, field
from decimal import Decimal

from consumer.filters.json_text import RepeatedKey
from consumer.filters.matchers import values_of
from consumer.filters.mistakes import InvalidPatternError, Json, Mistake, Path, refused, shown
from consumer.filters.numbers import Number, Numeric, comparable
from consumer.filters.values import Values, union

OR = "$or"
MOST_ALTERNATIVES = 1_000
"""Combinations of `$or` branches (Amazon EventBridge User Guide, "Amazon EventBridge quotas")."""

_FEWEST_BRANCHES = 2
_RESERVED = frozenset(
    {"exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric"}
    | {"cidr", "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"}
    | {"date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"}
    | {"ip-address-in-range", "ip-address-not-in-range"}
)
"""Names no field may have inside `$or` (Event Ruler's Constants)."""

_NUMBERS_AS_TEXT = frozenset({"N", "NS"})
"""DynamoDB's types whose values are numbers written as text."""

Alternative = dict[str, Values]
"""The fields of one way to match, by dotted name; all must be as they may be."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A valid pattern.

    `fields`: each field's dotted name, and where in the pattern it is; `doubts`: what AWS allows and hardly
    anybody means.
    """

    alternatives: tuple[Alternative, ...]
    fields: tuple[tuple[str, Path], ...]
    doubts: tuple[Mistake, ...]


def compile_pattern(value: Json) -> Compiled:
    """Check a pattern and take it apart.

    Raises:
        InvalidPatternError: AWS would refuse it; all mistakes are in it.
    """
    compiler = _Compiler()
    if not isinstance(value, dict):
        raise refused((), f'a pattern is an object such as {{"eventName": ["INSERT"]}}, not {shown(value)}')
    try:
        alternatives = compiler.fields_of(value, (), [], (), in_or=False)
    except RecursionError:
        raise refused((), "nested too deeply for a pattern") from None
    if compiler.mistakes:
        raise InvalidPatternError(compiler.mistakes)
    return Compiled(tuple(alternatives), tuple(compiler.fields), tuple(compiler.doubts))


@dataclass(slots=True)
class _Compiler:
    """Goes through a pattern once, as Event Ruler does.

    A field that is given again, in `$or` and beside it, takes the place of the earlier one.
    """

    mistakes: list[Mistake] = field(default_factory=list)
    fields: list[tuple[str, Path]] = field(default_factory=list)
    doubts: list[Mistake] = field(default_factory=list)

    def fields_of(
        self,
        value: dict[str, Json],
        path: Path,
        so_far: list[Alternative],
        names: tuple[str, ...],
        *,
        in_or: bool,
    ) -> list[Alternative]:
        """The alternatives so far, each with what the object asks for."""
        if not value:
            self._note(path, "is empty: name at least one field")
        if isinstance(value, RepeatedKey):
            self._note((*path, value.key), f"`{value.key}` is given twice")
        for name, content in value.items():
            here = (*path, name)
            if name == OR:
                so_far = self._or(content, here, so_far, names)
            elif in_or and name in _RESERVED:
                self._note(here, f"inside `{OR}` no field may be named `{name}`")
            elif isinstance(content, dict):
                so_far = self.fields_of(content, here, so_far, (*names, name), in_or=in_or)
            elif isinstance(content, list):
                so_far = self._field(content, here, so_far, (*names, name))
            else:
                self._note(here, f"{shown(content)} is not allowed: write a list such as [{shown(content)}]")
        return so_far

    def _field(
        self, entries: list[Json], path: Path, so_far: list[Alternative], names: tuple[str, ...]
    ) -> list[Alternative]:
        if not entries:
            self._note(path, "is empty: name at least one value")
        reads_text = names[-1].rpartition(".")[2] in _NUMBERS_AS_TEXT
        parts: list[Values] = []
        for index, entry in enumerate(entries):
            here = (*path, index)
            if isinstance(entry, RepeatedKey):
                self._note((*here, entry.key), f"`{entry.key}` is given twice")
                continue
            try:
                parts.append(values_of(entry, here, reads_text=reads_text))
            except InvalidPatternError as error:
                self.mistakes += error.mistakes
            if (
                reads_text
                and isinstance(entry, (int, float, Decimal, Number))
                and not isinstance(entry, bool)
            ):
                self._doubt(entry, here)
        name = _dotted(names)
        self.fields.append((name, path))
        values = union(parts)
        return [{**alternative, name: values} for alternative in so_far or [{}]]

    def _or(
        self, branches: Json, path: Path, so_far: list[Alternative], names: tuple[str, ...]
    ) -> list[Alternative]:
        if not isinstance(branches, list) or len(branches) < _FEWEST_BRANCHES:
            self._note(path, f"`{OR}` takes a list of two or more objects")
            return so_far
        together: list[Alternative] = []
        for index, branch in enumerate(branches):
            if isinstance(branch, dict):
                together += self.fields_of(branch, (*path, index), so_far or [{}], names, in_or=True)
            else:
                self._note((*path, index), f"{shown(branch)} is not allowed: `{OR}` takes objects only")
            if len(together) > MOST_ALTERNATIVES:
                raise refused(path, f"more than {MOST_ALTERNATIVES:,} combinations of `{OR}` branches")
        return together

    def _note(self, path: Path, message: str) -> None:
        self.mistakes.append(Mistake(path, message))

    def _doubt(self, number: Numeric, path: Path) -> None:
        equals = "" if comparable(number) is None else f', or {{"numeric": ["=", {number}]}}'
        message = f'{number} never matches: DynamoDB writes numbers as text; write "{number}"{equals}'
        self.doubts.append(Mistake(path, message))


def _dotted(names: tuple[str, ...]) -> str:
    """As Event Ruler joins them: empty names at the beginning leave no dot."""
    outer = ".".join(names[:-1])
    return f"{outer}.{names[-1]}" if outer else names[-1]
