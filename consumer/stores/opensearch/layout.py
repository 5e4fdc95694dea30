"""What the index of a read model is made of, by the settings and by Tidemark. Pure.

readers ---- orders (alias, filtered: not gone) ------+
                                                      v
Tidemark --- orders-v1-write (alias) -----------> orders-v1
"""

from collections.abc import Iterator, Mapping
from typing import cast

from consumer.attributes import RESERVED
from consumer.settings.stores import OpenSearchIndex
from consumer.stores.opensearch.index import write_alias

READERS_FILTER: Mapping[str, object] = {"bool": {"must_not": {"term": {f"{RESERVED}.gone": True}}}}
"""Of the alias that readers use: it keeps tombstones from them."""

_MARK = {
    "type": "object",
    "dynamic": False,
    "properties": {
        "v": {"type": "long"},
        "o": {"type": "keyword"},
        "gone": {"type": "boolean"},
        "expires": {"type": "date", "format": "epoch_second"},
    },
}
_OURS = "tidemark"
_BREAKING = {
    "_source": "documents are read back to judge late changes, so `_source` has to be whole",
    "_routing": "documents are found by their ids alone",
}
_DERIVED = "derived_source"


def first_index(alias: str) -> str:
    """The index that is made for an alias that is not there."""
    return f"{alias}-v1"


def index_body(store: OpenSearchIndex, made_for: str, index: str) -> dict[str, object]:
    """The body of the request that makes an index; `made_for` says whose it is, to whoever looks at it."""
    return {
        "settings": store.settings or {},
        "mappings": mappings(store, made_for),
        "aliases": {store.index: {"filter": READERS_FILTER}, write_alias(index): {}},
    }


def mappings(store: OpenSearchIndex, made_for: str) -> dict[str, object]:
    """The settings' mappings, and ours."""
    given = store.mappings or {}
    return {
        **given,
        "_meta": {**_part(given, "_meta"), _OURS: {"made_for": made_for}},
        "properties": {**_part(given, "properties"), RESERVED: _MARK},
    }


def made_for(found: Mapping[str, object]) -> str | None:
    """Whom the mappings of an index say that it was made for; None: not by Tidemark."""
    ours = _part(_part(found, "_meta"), _OURS)
    return str(ours["made_for"]) if "made_for" in ours else None


def mistakes(store: OpenSearchIndex, names: Mapping[str, object]) -> Iterator[str]:
    """What in the settings' mappings and settings no read model can have; `names`: of its rows' fields."""
    given = store.mappings or {}
    properties = _part(given, "properties")
    for name, why in _BREAKING.items():
        if name in given:
            yield f"mappings.{name}: {why}; take it out"
    if RESERVED in properties:
        yield f"mappings.properties.{RESERVED}: the name is kept for Tidemark's own use; take it out"
    if any(_DERIVED in path for path in _paths(store.settings or {})):
        yield f"settings: {_DERIVED}: documents are read back to judge late changes; take it out"
    if given.get("dynamic") == "strict":
        for name in names:
            if name not in properties:
                yield f"mappings.properties: `dynamic: strict`, and `{name}` is not there; give it a type"


def differences(wanted: Mapping[str, object], found: Mapping[str, object], path: str = "") -> Iterator[str]:
    """Where an index has a field of another type than the mappings ask for."""
    has = _part(found, "properties")
    for name, field in _part(wanted, "properties").items():
        if name not in has:
            continue  # it is added when the pod starts
        ours, theirs = _kind(field), _kind(has[name])
        if ours != theirs:
            yield f"`{path}{name}` is of type {theirs} there, and {ours} in the settings"
        else:
            yield from differences(_of(field), _of(has[name]), f"{path}{name}.")


def _kind(field: object) -> str:
    return str(_of(field).get("type", "object"))


def _part(of: Mapping[str, object], name: str) -> Mapping[str, object]:
    return _of(of.get(name))


def _of(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _paths(settings: Mapping[str, object], path: str = "") -> Iterator[str]:
    for name, value in settings.items():
        yield f"{path}{name}"
        yield from _paths(_of(value), f"{path}{name}.")
