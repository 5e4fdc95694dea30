"""What a batch's outcomes say: which of its records are done, and what comes back of each item."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from consumer.errors import Rejected, Unavailable
from consumer.processors.base import Outcome
from consumer.shard.lanes.outage import Outage
from consumer.shard.lanes.tools import Ticket

DONE = frozenset({"applied", "stale", "skipped"})
FROM_THE_STORE = frozenset({"applied", "stale"})


@dataclass(slots=True)
class Failure:
    """What comes back of one item.

    Attributes:
        tickets: the record that failed, and what came behind it.
        error: why it failed; None: it was not tried.
        taken_as_one: how many of the tickets, from the first on, failed as one.
        counts: whether that counts as an attempt.
    """

    tickets: list[Ticket]
    error: Rejected | Unavailable | None
    taken_as_one: int
    counts: bool


@dataclass(slots=True)
class Judgement:
    """The groups of a batch that are done, each with its outcome, and by item what is not."""

    done: list[list[Ticket]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)
    unavailable: Unavailable | None = None
    """Why one of them was not taken by a store that is away."""


def judge(groups: Sequence[list[Ticket]], outcomes: Sequence[Outcome], outage: Outage) -> Judgement:
    """Tell the outage what the store answered; what is behind an item's first failure comes back with it."""
    judgement = Judgement()
    for group, outcome in zip(groups, outcomes, strict=True):
        item, error = group[0][1].item, outcome.error
        if item in judgement.failures:
            judgement.failures[item].tickets += group
        elif outcome.kind in DONE:
            judgement.done.append(group)
            judgement.outcomes.append(outcome)
            if outcome.kind in FROM_THE_STORE:
                outage.answered()
        else:
            counts = isinstance(error, Rejected) and outage.rejected(group[-1][0], error)
            if isinstance(error, Unavailable) and error.of_item:
                outage.answered()
            elif isinstance(error, Unavailable):
                judgement.unavailable = error
            judgement.failures[item] = Failure(list(group), error, len(group), counts)
    return judgement
