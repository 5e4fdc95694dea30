"""What a batch does in PostgreSQL, once the ledger's entries are locked and read. Pure.

    an item's entry holds    A:1 B:2 C:3        by key text, each row's digest
    the item should have         B:2 C:4 D:5
                             |   |   |   |
                             drop    put put    and B is left as it is

Where D is another item's, the item drops A alone: so two items can swap their keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from consumer.processors.base import APPLIED, STALE, Outcome
from consumer.processors.gate import Stamp, Verdict
from consumer.processors.gated import Write, Written
from consumer.processors.ledger.entry import NOTHING, Entry, admit
from consumer.processors.projection.mapping import Desired
from consumer.processors.projection.sql_rows import RowWriter


class Wish(NamedTuple):
    """One item's write.

    Attributes:
        key: the ledger's for the item; its rows name it as their owner.
        write: the engine's.
        rows: the rows it should have, by the text of their keys: content and digest.
    """

    key: str
    write: Write[Desired]
    rows: Mapping[str, tuple[bytes, str]]


Refusals = Mapping[str, Outcome | None]
"""By an item's key, why its rows are not its own to write, as an outcome; None: one is another item's."""


@dataclass(slots=True)
class Plan:
    """What is to be done.

    Attributes:
        answers: to each wish, in order; None: a row of it is another item's.
        entries: the ledger's, as they are to be, by key.
        unused: keys of which the ledger is to know nothing still.
        drops: rows that go, with their owners.
        puts: rows that are written, with their owners, by owner.
    """

    answers: list[Written | None] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    drops: list[bytes] = field(default_factory=list)
    puts: dict[str, list[bytes]] = field(default_factory=dict)


class _Admitted(NamedTuple):
    """A wish that passed the gate."""

    place: int
    wish: Wish
    held: Entry
    stamp: Stamp


class Planner:
    """Plans batches of one projection."""

    def __init__(self, writer: RowWriter, *, may_share: bool) -> None:
        """Take what makes rows' JSON, and whether two items can want one row."""
        self._writer = writer
        self._may_share = may_share

    def plan(self, wishes: Sequence[Wish], entries: Mapping[str, Entry | None], refused: Refusals) -> Plan:
        """Judge each wish, of different items, by its locked entry, and say what follows."""
        plan = Plan()
        admitted: list[_Admitted] = []
        for place, wish in enumerate(wishes):
            held = entries[wish.key] or NOTHING
            verdict, stamp = admit(held.stamp, wish.write.stamp, wish.write.over)
            if verdict is Verdict.NEWER:
                plan.answers.append(refused.get(wish.key, APPLIED))
                if plan.answers[-1] in (None, APPLIED):
                    admitted.append(_Admitted(place, wish, held, stamp))
            else:
                plan.answers.append(STALE if verdict is Verdict.STALE else stamp)
        losers = _losers(admitted, refused) if self._may_share or refused else frozenset()
        for each in admitted:
            self._drop(plan, each)
            if each.wish.key in losers:
                plan.answers[each.place] = None
                self._wait(plan, each)
            else:
                self._put(plan, each)
        plan.unused = [key for key, entry in entries.items() if entry is None and key not in plan.entries]
        return plan

    def _drop(self, plan: Plan, admitted: _Admitted) -> None:
        _, wish, held, _ = admitted
        for text in held.holds:
            if text not in wish.rows:
                plan.drops.append(self._writer.owned(self._writer.key(text), wish.key))

    def _put(self, plan: Plan, admitted: _Admitted) -> None:
        _, wish, held, stamp = admitted
        puts = [
            self._writer.owned(content, wish.key)
            for text, (content, digest) in wish.rows.items()
            if held.holds.get(text) != digest
        ]
        if puts:
            plan.puts[wish.key] = puts
        plan.entries[wish.key] = Entry(stamp, {text: digest for text, (_, digest) in wish.rows.items()})

    def _wait(self, plan: Plan, admitted: _Admitted) -> None:
        """Only what it drops is written; its change stays newer than its entry."""
        _, wish, held, _ = admitted
        kept = {text: digest for text, digest in held.holds.items() if text in wish.rows}
        if len(kept) < len(held.holds):
            plan.entries[wish.key] = Entry(held.stamp._replace(round=held.stamp.round + 1), kept)


def _losers(admitted: Sequence[_Admitted], refused: Refusals) -> set[str]:
    """Who is refused, or wants a row that another of the batch has and keeps, or wants too and came first."""
    claims: dict[str, str] = {}
    for _, wish, held, _ in admitted:
        claims |= dict.fromkeys(wish.rows.keys() & held.holds.keys(), wish.key)
    losers = {wish.key for _, wish, _, _ in admitted if wish.key in refused}
    for _, wish, _, _ in admitted:
        if wish.key in losers:
            continue
        if all(claims.get(text, wish.key) == wish.key for text in wish.rows):
            claims |= dict.fromkeys(wish.rows, wish.key)
        else:
            losers.add(wish.key)
    return losers
