"""Which transactions carry out what is to be counted. Pure.

An item's step writes its ledger entry and adds a difference to each group that changes. Steps of several
items go in one transaction, with one update for each group of any of them: a hot group costs one action.

    item a: +2 to g     item b: +3 to g, -1 to h     ->     put a's entry, put b's entry, g +5, h -1

An item of too many groups for a transaction takes several steps. Its entry keeps its old version until the
last of them, and always says what is counted; so whoever goes on after a crash, goes on from there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from consumer.processors.aggregate.sums import (
    Sums,
    difference,
    is_in_range,
    plus,
    to_texts,
    without_zeros,
)
from consumer.processors.gate import Stamp
from consumer.processors.ledger.entry import Entry
from consumer.processors.ledger.transactions import MOST_ACTIONS, MOST_BYTES, Action

_UPDATE_BYTES = 1_000
_SUM_BYTES = 500
"""Of an update's JSON at most, beside its group's key; and of each sum in it, its name among them."""

_ZERO = Decimal()

PutEntry = Callable[[Entry, Entry], Action]
"""Makes the action that writes an entry, over another one."""


class Step(NamedTuple):
    """One write of one item's entry.

    Attributes:
        place: which of the writes it is for.
        over: the entry as it was read, or as the step before left it.
        put: writes the entry.
        adds: what goes to the groups' sums with it.
    """

    place: int
    over: Entry
    put: Action
    adds: Sums


def steps_of(place: int, over: Entry, held: Sums, stamp: Stamp, wanted: Sums, put: PutEntry) -> list[Step]:
    """The steps after which `wanted` is counted of an item in the place of `held`; one, mostly.

    Args:
        place: which of the writes they are for.
        over: the item's entry as it was read.
        held: what that says is counted.
        stamp: what the entry has after the first write.
        wanted: what is to be counted.
        put: makes the actions on the entry.
    """
    steps: list[Step] = []
    stages, kept = _stages(held, wanted), over.stamp
    for number, (stage, adds) in enumerate(stages):
        told = stamp if number == len(stages) - 1 else kept
        entry = Entry(told._replace(round=stamp.round + number), to_texts(stage))
        steps.append(Step(place, over, put(entry, over), adds))
        over = entry
    return steps


def _stages(held: Sums, wanted: Sums) -> list[tuple[Sums, Sums]]:
    """On the way from held to wanted: what is counted after each step, and what the step adds."""
    change = difference(wanted, held)
    # No store adds a number of more digits than it can hold: what was counted goes first, then.
    far = [group for group, named in change.items() if not all(map(is_in_range, named.values()))]
    if not far and len(change) < MOST_ACTIONS:
        return [(wanted, change)]
    stages: list[tuple[Sums, Sums]] = []
    now = held
    for moves in (*_chunks([(group, {}) for group in far]), *_chunks(_moves(change, wanted))):
        after = {group: named for group, named in {**now, **dict(moves)}.items() if named}
        stages.append((after, difference(after, now)))
        now = after
    return stages


_Move = tuple[str, Mapping[str, Decimal]]


def _moves(change: Sums, wanted: Sums) -> list[_Move]:
    # What goes comes first: so no entry on the way is larger than both of those at its ends.
    ordered = sorted(change, key=lambda group: (group in wanted, group))
    return [(group, wanted.get(group, {})) for group in ordered]


def _chunks(moves: Sequence[_Move]) -> Iterator[Sequence[_Move]]:
    for at in range(0, len(moves), MOST_ACTIONS - 1):
        yield moves[at : at + MOST_ACTIONS - 1]


class Bundle:
    """Steps of different items that go in one transaction."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._adds: dict[str, dict[str, Decimal]] = {}
        self._bytes = 0

    @property
    def adds(self) -> Sums:
        """What goes to each group's sums, together."""
        return without_zeros(self._adds)

    def takes(self, step: Step) -> bool:
        """Take the step in, if it fits; the first always does."""
        merged: dict[str, dict[str, Decimal]] = {}
        size = self._bytes + len(step.put)
        for group, named in step.adds.items():
            had = self._adds.get(group)
            merged[group] = sums = {} if had is None else dict(had)
            size += 0 if had is not None else _UPDATE_BYTES + len(group) + _SUM_BYTES * len(named)
            for name, number in named.items():
                sums[name] = plus(sums.get(name, _ZERO), number)
                if not is_in_range(sums[name]):
                    return False
        actions = len(self.steps) + 1 + len(self._adds) + sum(group not in self._adds for group in merged)
        if self.steps and (actions > MOST_ACTIONS or size > MOST_BYTES):
            return False
        self.steps.append(step)
        self._adds |= merged
        self._bytes = size
        return True


def bundles(steps: Iterable[Step]) -> list[Bundle]:
    """The steps of different items in as few transactions as are easily found: those of a group together."""
    found: list[Bundle] = []
    for step in sorted(steps, key=lambda step: min(step.adds, default="")):
        if not (found and found[-1].takes(step)):
            found.append(Bundle())
            found[-1].takes(step)
    return found
