"""A projection's rows as documents of an OpenSearch index: their ids, versions and contents. Pure.

A document's version is the end of the tick in which its change was made, in microseconds, times 1024, plus
the round. So whatever is of one tick never passes unseen over what a coarser clock has written:

    tick of a millisecond  |000 001 002                       999|
    a change in microseconds    ^                                ^ a change in milliseconds, or coarser

It stays below 2^62 until the year 2112.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import NamedTuple, cast

import msgspec

from consumer.attributes import RESERVED, Plain, canonical_number, to_plain
from consumer.processors.gate import CODES, GRANULARITIES, Stamp
from consumer.processors.projection.mapping import Desired, ProjectionMapping
from consumer.record import AttributeValue, Image, Version
from consumer.stores.opensearch.index import Document

ROUNDS = 1024
"""How often, less one, a document can be written at one version."""

LONGEST_ID_BYTES = 512
"""OpenSearch's own limit."""

_DIGEST = "\\~"
_HIDDEN = "\\^"
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Mark(msgspec.Struct, omit_defaults=True):
    """A document's `_tidemark`.

    Attributes:
        v: microseconds of the version.
        p: its clock's granularity.
        d: the digest of the source image.
        n: the round.
        o: the item's identity.
        gone: the document is a tombstone.
        expires: when that may be deleted, in Unix seconds.
    """

    v: int
    p: str
    d: str
    n: int = 0
    o: str = ""
    gone: bool = False
    expires: int = 0


class Pass(Enum):
    """How a document goes through the gate."""

    NEWER = "newer"
    """It is written, and judged where OpenSearch refuses it for one that is as new."""

    UNSEEN = "unseen"
    """It is judged before it is written, too."""

    CLAIMED = "claimed"
    """It settles a tie whose round is claimed: refused, it is stale."""


class Part(NamedTuple):
    """One of the documents that a write asks for, the stamp that it carries, and how it is written."""

    document: Document
    stamp: Stamp
    way: Pass = Pass.NEWER


class Documents:
    """The documents of a projection."""

    def __init__(
        self, mapping: ProjectionMapping, source_keys: tuple[str, ...], expires: Callable[[], int]
    ) -> None:
        """Take what ids are made by.

        Args:
            mapping: the projection's.
            source_keys: the source table's key attributes.
            expires: when a tombstone of now may be deleted, in Unix seconds.
        """
        self.has_one = mapping.is_fixed
        """Whether an item has one document at most, always of the same id."""
        self._own = mapping.own_keys
        self._covers = mapping.covers(source_keys)
        self._expires = expires

    def parts(
        self, item: str, desired: Desired, stamp: Stamp, way: Pass, found: Iterable[str] = ()
    ) -> Iterator[Part]:
        """What makes the index hold of an item what it should: its rows, and tombstones of those it had.

        `found`: the ids of what has to go besides, where `desired` has `spared`.
        """
        version = version_of(stamp)
        for row in desired.rows:
            body: dict[str, object] = {
                **cast("Mapping[str, Plain]", row.fields),
                **{name: to_plain(value) for name, value in row.key.items()},
                RESERVED: _mark(stamp, item),
            }
            yield Part(Document(self.id_of(row.key, item), version, _ENCODER.encode(body)), stamp, way)
        leaves = {self.id_of(key, item) for key in desired.leaves}
        leaves |= set(found)
        for name in sorted(leaves):
            yield Part(self._tombstone(name, item, stamp), stamp, way)
        if desired.spared is not None:
            yield self.mark(item, stamp)._replace(way=way)

    def query(self, item: str, spared: Iterable[Image]) -> object:
        """What finds the documents that an index holds of an item, but for tombstones and what may stay.

        A search finds so many and no more: what has these keys must not take the place of what has to go.
        """
        stay = sorted(self.id_of(key, item) for key in spared)
        return {
            "bool": {
                "filter": [{"term": {f"{RESERVED}.o": item}}],
                "must_not": [{"term": {f"{RESERVED}.gone": True}}, {"ids": {"values": stay}}],
            }
        }

    def claim(self, item: str, stamp: Stamp) -> Part:
        """What says who of those that settle one tie has read the source last; no reader sees it."""
        return self._hidden(f"{_end_of_tick(stamp.version)}:{item}", item, stamp)

    def mark(self, item: str, stamp: Stamp) -> Part:
        """What says of which change an item's documents were searched for; no reader sees it."""
        return self._hidden(f":{item}", item, stamp)

    def id_of(self, key: Image, item: str) -> str:
        """The id of an item's document: the key as it is written, and whose it is where another may have it.

        Joined by `|`, with a backslash before one inside of a value. A part that may be of any type tells
        which: a number begins with `#`, binary with `=`.
        """
        if self._covers and len(key) == 1 and key.keys() <= self._own:
            (value,) = key.values()
            ((kind, content),) = value.items()
            text = _digits(content) if kind == "N" else str(content)
        else:
            parts = [self._part(name, value) for name, value in key.items()]
            text = "|".join(parts if self._covers else [*parts, _escaped(item)])
        if len(text.encode()) <= LONGEST_ID_BYTES and not text.startswith((_DIGEST, _HIDDEN)):
            return text
        return _DIGEST + blake2b(text.encode(), digest_size=24).hexdigest()

    def _part(self, name: str, value: AttributeValue) -> str:
        ((kind, content),) = value.items()
        text = _digits(content) if kind == "N" else _escaped(str(content))
        if name in self._own:
            return text
        if kind == "S":
            return f"\\{text}" if text.startswith(("#", "=")) else text
        return f"#{text}" if kind == "N" else f"={text}"

    def _hidden(self, what: str, item: str, stamp: Stamp) -> Part:
        name = _HIDDEN + blake2b(what.encode(), digest_size=24).hexdigest()
        return Part(self._tombstone(name, item, stamp), stamp)

    def _tombstone(self, name: str, item: str, stamp: Stamp) -> Document:
        mark = _mark(stamp, item)
        mark.gone, mark.expires = True, self._expires()
        return Document(name, version_of(stamp), _ENCODER.encode({RESERVED: mark}))


def version_of(stamp: Stamp) -> int:
    """The document's version."""
    return _end_of_tick(stamp.version) * ROUNDS + stamp.round


def stamp_of(mark: object) -> Stamp:
    """The stamp that a document's `_tidemark` carries.

    Raises:
        ValueError: it is none of ours.
    """
    try:
        found = msgspec.convert(mark, Mark)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a mark of ours: {mark!r}") from error
    if found.p not in GRANULARITIES:
        raise ValueError(f"not a mark of ours: {mark!r}")
    return Stamp(Version(found.v, GRANULARITIES[found.p]), found.d, found.n)


def _mark(stamp: Stamp, item: str) -> Mark:
    version = stamp.version
    return Mark(v=version.micros, p=CODES[version.granularity], d=stamp.digest, n=stamp.round, o=item)


def _end_of_tick(version: Version) -> int:
    return version.micros + version.granularity - 1


def _digits(number: object) -> str:
    """Equal for equal numbers, and without an exponent."""
    return f"{Decimal(canonical_number(number)):f}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")
