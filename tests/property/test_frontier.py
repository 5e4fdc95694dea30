from hypothesis import given
from hypothesis import strategies as st

from checkpoint.frontier import Frontier

SETTLERS = ("view", "search", "audit")

Step = tuple[str, int]
"""("accept", how many) or (a settler, an ordinal modulo those there are)."""

steps = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.integers(0, 5)),
        st.tuples(st.sampled_from(SETTLERS), st.integers(0, 1_000)),
    ),
    max_size=80,
)


class NaiveFrontier:
    """Keeps everything and looks at all of it."""

    def __init__(self) -> None:
        self.accepted = 0
        self.settled_by: dict[str, set[int]] = {name: set() for name in SETTLERS}

    def low_of(self, settler: str) -> int:
        done = self.settled_by[settler]
        return next(ordinal for ordinal in range(self.accepted + 1) if ordinal not in done)

    @property
    def settled(self) -> int:
        return min(self.low_of(name) for name in SETTLERS)


@given(steps)
def test_the_frontier_is_where_a_full_look_at_everything_finds_it(history: list[Step]) -> None:
    frontier: Frontier[int] = Frontier(SETTLERS)
    naive = NaiveFrontier()
    for action, number in history:
        if action == "accept":
            first = frontier.accept(list(range(naive.accepted, naive.accepted + number)))
            assert first == naive.accepted
            naive.accepted += number
        elif naive.accepted:
            ordinal = number % naive.accepted
            frontier.settle(action, [ordinal])
            naive.settled_by[action].add(ordinal)
        agree(frontier, naive)


def agree(frontier: Frontier[int], naive: NaiveFrontier) -> None:
    """Entries are their own ordinals, so each entry tells where it stands."""
    settled = naive.settled
    assert (frontier.accepted, frontier.settled) == (naive.accepted, settled)
    assert frontier.low == (settled - 1 if settled else None)
    assert frontier.oldest_unsettled == (settled if settled < naive.accepted else None)
    for name in SETTLERS:
        low = naive.low_of(name)
        assert frontier.last_of(name) == (low - 1 if low else None)


@given(st.permutations(range(40)), st.integers(1, 10))
def test_settling_in_any_order_and_in_any_portions_ends_with_all_settled(
    order: list[int], portion: int
) -> None:
    frontier: Frontier[int] = Frontier(["view"])
    frontier.accept(list(range(40)))
    for begin in range(0, 40, portion):
        frontier.settle("view", order[begin : begin + portion])
    assert (frontier.settled, frontier.low, frontier.oldest_unsettled) == (40, 39, None)
