"""The projection's I/O on OpenSearch: documents at versions of our own, deletions as tombstone documents.

    _bulk, each document at its change's version ----> written
        | 409: the index holds one that is as new
        v
    _mget, judge(document, change) --stale--> settled
        | tie: the caller reads the source, and comes again with what it tied with
        v
    _bulk, the change's documents at that round + 1 ----> written
        | 409: another who settles it was there first; the tie is told anew
A crash after any arrow repeats from the top, where the index tells what was done.

There is no transaction over an item's several documents: each has a version of its own, and ends with its
newest change in whatever order they come. Of those who settle one tie at once, the one that read the source
last has to win on every document, also where each knows of different ones: so each first claims its round,
in a document that stands for the item and the tick, and whoever loses that reads the source again.

Which documents go, a change's images tell. Where one of them could not be mapped, and is a dead letter, they
don't: the index is then searched for what it holds of the item, and a mark kept that no older change of the
item may pass: where it would have written, no tombstone may be.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from consumer.attributes import RESERVED
from consumer.errors import Rejected, Unavailable
from consumer.processors.base import APPLIED, HELD, SKIPPED, STALE, Outcome, failed
from consumer.processors.gate import Stamp, Verdict, judge, judge_settled, settled
from consumer.processors.gated import Write, Written
from consumer.processors.projection.documents import ROUNDS, Documents, Part, Pass, stamp_of, version_of
from consumer.processors.projection.mapping import Desired
from consumer.processors.projection.purge import Purge
from consumer.record import Granularity
from consumer.stores.opensearch.index import MOST_DOCUMENTS, MOST_FOUND, Held, Index, Kept, portions

REQUESTS = 8
"""Batches on their way at once in one shard process."""


class IndexSink:
    """Writes documents of one index through the version gate."""

    def __init__(
        self,
        index: Index,
        documents: Documents,
        purge: Purge,
        *,
        tombstone_seconds: float,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take what writing needs.

        Args:
            index: the read model's.
            documents: the projection's.
            purge: deletes tombstones that have lived long enough.
            tombstone_seconds: how long a change is kept where it may come from; a tombstone outlives that.
            is_stopping: from then on no write is begun, and what was not is held.
        """
        self._index = index
        self._documents = documents
        self._purge = purge
        self._tombstone_seconds = tombstone_seconds
        self._is_stopping = is_stopping
        self._requests = asyncio.Semaphore(REQUESTS)

    @property
    def tombstones_last(self) -> float | None:
        """Seconds from a tombstone's writing on, at least."""
        return self._tombstone_seconds

    async def write(self, writes: Sequence[Write[Desired]]) -> list[Written]:
        """Write different items, as many in a request as it takes; each answer is its own."""
        self._purge.begin_if_due()
        async with self._requests:
            ends: list[list[Written]] = [[] for _ in writes]
            lost: dict[int, Written] = {}
            await self._see_marks(writes, lost)
            await self._claim(writes, lost)
            found = await self._find(writes, lost)
            places: list[int] = []
            parts: list[Part] = []
            for place, write in enumerate(writes):
                if place in lost:
                    ends[place].append(lost[place])
                    continue
                asked = list(self._parts(write, found.get(place, ())))
                places += [place] * len(asked)
                parts += asked
            for place, end in zip(places, await self._pass(parts), strict=True):
                ends[place].append(end)
        for place, ids in found.items():
            if len(ids) == MOST_FOUND:
                ends[place].append(_more_remain())
        return [_together(each) for each in ends]

    def _parts(self, write: Write[Desired], found: Sequence[str]) -> Iterator[Part]:
        if write.over is not None:
            way = Pass.NEWER if self._documents.has_one else Pass.CLAIMED
            stamp = settled(write.over, write.stamp)
            return self._documents.parts(write.item, write.desired, stamp, way, found)
        # A coarse change's version passes over what a finer clock wrote in its tick, which is a tie.
        is_coarse = write.version.granularity > Granularity.MICROSECOND
        way = Pass.UNSEEN if is_coarse else Pass.NEWER
        return self._documents.parts(write.item, write.desired, write.stamp, way, found)

    async def _find(
        self, writes: Sequence[Write[Desired]], lost: dict[int, Written]
    ) -> dict[int, Sequence[str]]:
        """By place, what has to go of items whose images do not tell; `lost` gets who must wait."""
        asking = {
            place: self._documents.query(write.item, write.desired.spared)
            for place, write in enumerate(writes)
            if write.desired.spared is not None and place not in lost
        }
        found: dict[int, Sequence[str]] = {}
        if not asking:
            return found
        try:
            await self._index.refresh()
            for place, query in asking.items():
                found[place] = await self._index.find(query)
        except Unavailable as error:
            lost |= {place: failed(error) for place in asking if place not in found}
        return found

    async def _see_marks(self, writes: Sequence[Write[Desired]], lost: dict[int, Written]) -> None:
        """Judge by the marks; `lost` gets what is older than a change that searched, or ties with it."""
        if self._documents.has_one:
            return
        asking = [place for place, write in enumerate(writes) if _asks_for_any(write.desired)]
        marks = [self._documents.mark(writes[place].item, writes[place].stamp) for place in asking]
        for place, found in zip(asking, await self._look(marks), strict=True):
            write = writes[place]
            if isinstance(found, Outcome):
                lost[place] = found
            elif found is not None and judge_settled(found, write.stamp) is Verdict.STALE:
                lost[place] = STALE
            elif found is not None and write.over is None and judge(found, write.stamp) is Verdict.TIE:
                lost[place] = found

    async def _claim(self, writes: Sequence[Write[Desired]], lost: dict[int, Written]) -> None:
        """Claim the next round of each tie; `lost` gets what became of the writes that may not go on."""
        claims: dict[int, Part] = {}
        for place, write in enumerate(writes):
            if write.over is None or place in lost:
                continue
            is_last = write.over.round + 1 >= ROUNDS
            if is_last and self._documents.has_one and write.over.digest == write.stamp.digest:
                lost[place] = STALE  # what the source holds; nobody can write at this version any more
            elif is_last:
                # To wait would be for ever: the newer change that would end it waits behind this one.
                message = f"a tie was settled {ROUNDS - 1} times at one version, and can't be once more"
                lost[place] = failed(Rejected(message, code="TooManyRounds"))
            elif not self._documents.has_one:
                claims[place] = self._documents.claim(write.item, settled(write.over, write.stamp))
        if not claims:
            return
        parts = list(claims.values())
        ends = await self._put(parts)
        taken = [part for part, end in zip(parts, ends, strict=True) if end is None]
        held = iter(await self._look(taken))
        for place, end in zip(claims, ends, strict=True):
            found = next(held) if end is None else end
            if found is not APPLIED:
                lost[place] = _gone() if found is None else found

    async def _pass(self, parts: Sequence[Part]) -> list[Written]:
        """Bring each document through the gate."""
        ends: dict[int, Written] = {}

        async def look(places: Sequence[int]) -> None:
            held = await self._look([parts[place] for place in places])
            for place, found in zip(places, held, strict=True):
                end = _judged(found, parts[place].stamp)
                if end is not None:
                    ends[place] = end

        await look([place for place, part in enumerate(parts) if part.way is Pass.UNSEEN])
        going = [place for place in range(len(parts)) if place not in ends]
        for place, end in zip(going, await self._put([parts[place] for place in going]), strict=True):
            if end is not None:
                ends[place] = end
            elif parts[place].way is Pass.CLAIMED:  # it is of a newer change, or of a later reader's claim
                ends[place] = STALE
        await look([place for place in going if place not in ends])
        return [ends.get(place) or _gone() for place in range(len(parts))]

    async def _put(self, parts: Sequence[Part]) -> list[Outcome | None]:
        """Write documents; None: the index holds one that is as new."""
        ends: list[Outcome | None] = []
        for portion in portions([part.document for part in parts]):
            if self._is_stopping():
                ends += [HELD] * len(portion)
                continue
            for kept in await self._index.write(portion):
                if isinstance(kept, Kept):
                    ends.append(APPLIED if kept is Kept.WRITTEN else None)
                else:
                    ends.append(failed(kept))
        return ends

    async def _look(self, parts: Sequence[Part]) -> list[Stamp | Outcome | None]:
        """The stamps that the index holds; None: there is no such document."""
        stamps: list[Stamp | Outcome | None] = []
        for start in range(0, len(parts), MOST_DOCUMENTS):
            asked = parts[start : start + MOST_DOCUMENTS]
            try:
                held = await self._index.look([part.document.id for part in asked], RESERVED)
            except Unavailable as error:
                stamps += [failed(error)] * len(asked)
            else:
                stamps += [self._stamp(found, part) for found, part in zip(held, asked, strict=True)]
        return stamps

    def _stamp(self, found: Held | Unavailable | None, part: Part) -> Stamp | Outcome | None:
        if found is None:
            return None
        if isinstance(found, Unavailable):
            return failed(found)
        try:
            return stamp_of(found.mark)
        except ValueError:
            message = (
                f"the document {part.document.id!r} was not written by Tidemark (its {RESERVED} is missing or"
                " not ours), at a version as high as ours; delete it, or choose another index"
            )
            return failed(Rejected(message, code="ForeignRow", by_store=True))


def _asks_for_any(desired: Desired) -> bool:
    """Whether it asks for documents, or for tombstones."""
    return bool(desired.rows or desired.leaves) or desired.spared is not None


def _judged(held: Stamp | Outcome | None, stamp: Stamp) -> Written | None:
    """What became of a document by what the index holds of it; None: it may be written."""
    if not isinstance(held, Stamp):
        return held
    verdict = judge(held, stamp)
    if verdict is Verdict.NEWER:
        return None
    return STALE if verdict is Verdict.STALE else held


def _gone() -> Outcome:
    """The answer where OpenSearch refused a document for one that is not there when it is looked at.

    A purged tombstone is remembered for a minute (index.gc_deletes) and then no more.
    """
    message = "the document that was in the way has gone since; it is tried again"
    return failed(Unavailable(message, code="RowWent", of_item=True))


def _more_remain() -> Outcome:
    message = f"the item has more than {MOST_FOUND:,} documents that are to go; the rest is next"
    return failed(Unavailable(message, code="RowsRemain", of_item=True))


def _together(ends: Sequence[Written]) -> Written:
    """What became of an item, by what became of its documents."""
    outcomes = [end for end in ends if isinstance(end, Outcome)]
    for error in (None, Unavailable, Rejected):
        for outcome in outcomes:
            if outcome is HELD if error is None else isinstance(outcome.error, error):
                return outcome
    ties = [end for end in ends if isinstance(end, Stamp)]
    if ties:
        return max(ties, key=version_of)
    if not outcomes:
        return SKIPPED  # it asks for no document: nothing was learned of the index
    return STALE if all(outcome is STALE for outcome in outcomes) else APPLIED
