"""What a processor's expressions and names may be, beyond what their type says."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from consumer.attributes import RESERVED
from consumer.errors import SettingsError
from consumer.expressions import Expression
from consumer.settings.document import Path
from consumer.settings.model import Aggregate, Projection, Settings

_MEANINGS = {
    "keys": "its key attributes",
    "new": "the item as it is",
    "old": "the item as it was",
    "event": "the change itself",
    "item": "the element",
    "index": "its place in the list, from 0",
}
_OF_AN_ITEM = ("keys", "new")
_OF_A_CHANGE = ("keys", "new", "old", "event")
_OF_AN_ELEMENT = ("item", "index")
_MOST_KEYS = {"dynamodb": 2}

Mistakes = Iterator[tuple[Path, str]]


def expression_mistakes(settings: Settings) -> Mistakes:
    """Where in the settings an expression or a name is wrong, and why, for every processor."""
    for index, processor in enumerate(settings.processors):
        mistakes: Mistakes = iter(())
        if processor.projection is not None:
            mistakes = _of_projection(processor.projection)
        elif processor.aggregate is not None:
            mistakes = _of_aggregate(processor.aggregate)
        for path, message in mistakes:
            yield ("processors", index, processor.kind, *path), message


def _of_projection(projection: Projection) -> Mistakes:
    elements = _OF_AN_ELEMENT if projection.for_each is not None else ()
    yield from _expressions("key", projection.key, (*_OF_AN_ITEM, *elements))
    yield from _expressions("fields", projection.fields or {}, (*_OF_A_CHANGE, *elements))
    for name in projection.key.keys() & (projection.fields or {}).keys():
        yield ("fields", name), f"`{name}` is in `key` already: a row holds it once"
    yield from _of_items(projection.when, projection.for_each)
    yield from _key_size("key", projection.key, projection.store.kind)
    if projection.for_each is not None and projection.fields is None:
        yield ("for_each",), "needs `fields`: say what a row has of its element and of the item"


def _of_aggregate(aggregate: Aggregate) -> Mistakes:
    elements = _OF_AN_ELEMENT if aggregate.for_each is not None else ()
    yield from _expressions("group_by", aggregate.group_by, (*_OF_AN_ITEM, *elements))
    yield from _expressions("add", aggregate.add, (*_OF_AN_ITEM, *elements))
    for name, text in aggregate.add.items():
        yield from _at(("add", name), _why_no_number(text))
    for name in aggregate.group_by.keys() & aggregate.add.keys():
        yield ("add", name), f"`{name}` is in `group_by` already: a row holds it once"
    yield from _of_items(aggregate.when, aggregate.for_each)
    yield from _key_size("group_by", aggregate.group_by, aggregate.store.kind)
    for name in aggregate.warn_above or {}:
        if name not in aggregate.add:
            yield ("warn_above", name), f"there is no sum `{name}` in `add`"


def expression_doubts(settings: Settings) -> Mistakes:
    """Where expressions of good settings say what is hardly meant, and why."""
    for index, processor in enumerate(settings.processors):
        projection = processor.projection
        if projection is None:
            continue
        roots = {root for text in projection.key.values() for root in Expression(text).roots}
        path = ("processors", index, "projection", "key")
        if not roots:
            yield path, "is the same for every item, so that all but one of them are rejected (KeyNotUnique)"
        elif projection.for_each is not None and not roots & set(_OF_AN_ELEMENT):
            message = (
                "is the same for all elements of an item, so that an item of more than one is rejected"
                " (KeyNotUnique); make it of `item` or `index` too"
            )
            yield path, message


def _why_no_number(text: str) -> str | None:
    try:
        expression = Expression(text)
    except SettingsError:
        return None  # which is told already
    if not expression.is_literal:
        return None
    value = expression.search({})
    is_number = isinstance(value, (Decimal, int)) and not isinstance(value, bool)
    return None if is_number else f"`{text}` is no number, and only numbers can be added"


def _of_items(when: str | None, for_each: str | None) -> Mistakes:
    if when is not None:
        yield from _at(("when",), _why_not(when, _OF_AN_ITEM))
    if for_each is not None:
        yield from _at(("for_each",), _why_not(for_each, _OF_AN_ITEM))


def _expressions(setting: str, expressions: dict[str, str], roots: Iterable[str]) -> Mistakes:
    for name, text in expressions.items():
        yield from _at((setting, name), _why_not(text, tuple(roots)))
        if name == RESERVED:
            yield (setting, name), f"the name {RESERVED} is kept for Tidemark's own use"


def _key_size(setting: str, key: dict[str, str], kind: str) -> Mistakes:
    most = _MOST_KEYS.get(kind)
    if most is not None and len(key) > most:
        yield (setting,), f"a key in {kind} has at most {most} attributes, not {len(key)}"


def _at(path: Path, message: str | None) -> Mistakes:
    if message is not None:
        yield path, message


def _why_not(text: str, roots: tuple[str, ...]) -> str | None:
    try:
        expression = Expression(text)
    except SettingsError as error:
        return str(error)
    for root in expression.roots:
        if root not in roots:
            known = " or ".join(f"`{name}` ({_MEANINGS[name]})" for name in roots)
            what = f"`{text}`" if expression.path is not None else f"`{root}` in `{text}`"
            return f"{what} leads nowhere: begin with {known}"
    return None
