"""What a projection's expressions may be, beyond what their type says."""

from collections.abc import Iterator

from consumer.attributes import RESERVED
from consumer.errors import SettingsError
from consumer.expressions import Expression
from consumer.settings.document import Path
from consumer.settings.model import Projection, Settings

_ROOTS = ("keys", "new")
_KEY_PATH_LENGTH = 2


def projection_mistakes(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Where in the settings an expression is wrong, and why, for every projection."""
    for index, processor in enumerate(settings.processors):
        for path, message in _mistakes(processor.projection):
            yield ("processors", index, "projection", *path), message


def _mistakes(projection: Projection) -> Iterator[tuple[Path, str]]:
    for name, text in projection.key.items():
        yield from _at(("key", name), _why_not_a_key(text))
        yield from _at(("key", name), _why_not_a_name(name))
    for name, text in (projection.fields or {}).items():
        yield from _at(("fields", name), _why_not_an_expression(text))
        yield from _at(("fields", name), _why_not_a_name(name))
        if name in projection.key:
            yield ("fields", name), f"`{name}` is in `key` already: a row holds it once"
    if projection.when is not None:
        yield from _at(("when",), _why_not_an_expression(projection.when))


def _at(path: Path, message: str | None) -> Iterator[tuple[Path, str]]:
    if message is not None:
        yield path, message


def _why_not_a_key(text: str) -> str | None:
    try:
        path = Expression(text).path
    except SettingsError as error:
        return str(error)
    if path is None or path[0] != "keys" or len(path) != _KEY_PATH_LENGTH:
        return (
            f"`{text}` can't be a key: write `keys.` and the name of a key attribute of the source table, "
            "such as `keys.orderId`; keys made of other attributes come with a later release"
        )
    return None


def _why_not_an_expression(text: str) -> str | None:
    try:
        path = Expression(text).path
    except SettingsError as error:
        return str(error)
    if path is not None and path[0] not in _ROOTS:
        return (
            f"`{text}` leads nowhere: begin with `new.` (the item as it is) or `keys.` (its key attributes)"
        )
    return None


def _why_not_a_name(name: str) -> str | None:
    return f"the name {RESERVED} is kept for Tidemark's own use" if name == RESERVED else None
