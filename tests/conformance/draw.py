"""Draws histories. What is rare in the world is common here; what hypothesis tries first is plain."""

from typing import TypeVar

from hypothesis import strategies as st

from tests.conformance.cases import OUT, Case, RowKey
from tests.conformance.history import Ending, History, Order, Shard, Write, item_keys

_GAPS = ((0, 2_000), (0, 700), (0, 1, 300, 1_000), (300, 1_000, 5_000))
"""Microseconds between writes: by either clock many changes of one tick, or by the coarser one."""

_T = TypeVar("_T")

_TICK = 1_000

_CODES = ("k0", "k1", "k2")
_SKUS = ("a", "b", "c", "d")
_TOTALS = ("1", "-5", "0", "0.01", "99999999999999999999999999999999999.99", "-12345678901234567890123456789")
"""Any four of them add up to 38 digits at most."""

_QUANTITIES = ("1", "2", "0.5")

_STATUSES = ("OPEN", "PAID", OUT, "OPEN", "PAID")

_LONG = tuple((f"sku-{number:03}", str(number)) for number in range(60))
"""More actions than one DynamoDB transaction takes, once they come and once they go."""


@st.composite
def histories(draw: st.DrawFn, case: Case, *, mixes_clocks: bool = True) -> History:
    """Histories of a processor; `mixes_clocks`: one table's changes may come with both precisions."""
    writes = draw(_writes(case, mixes_clocks=mixes_clocks))
    shards = draw(st.sampled_from([1, 1, 2]))
    return History(
        writes=writes,
        shards=tuple(
            draw(_shards([number for number, write in enumerate(writes) if write.item % shards == shard]))
            for shard in range(shards)
        ),
        seed=draw(st.integers(0, 999)),
        waits=draw(st.booleans()),
        faults=draw(st.sampled_from([0.0, 0.0, 0.05, 0.2])),
        stalls=draw(st.sampled_from([0.0, 0.02, 0.1])),
        lanes=draw(st.sampled_from([1, 2, 4])),
        batch=draw(st.sampled_from([10, 1, 3, 100])),
        message=draw(st.sampled_from([100, 1, 4])),
        window=draw(st.sampled_from([1_000, 1_000, 4])),
        is_replayed=draw(st.sampled_from([False, False, True])),
    )


@st.composite
def _lists_of(draw: st.DrawFn, element: st.SearchStrategy[_T], least: int, most: int) -> list[_T]:
    """Long ones as often as short ones; hypothesis' own are mostly short."""
    size = draw(st.integers(least, most))
    return draw(st.lists(element, min_size=size, max_size=size))


@st.composite
def _writes(draw: st.DrawFn, case: Case, *, mixes_clocks: bool) -> tuple[Write, ...]:
    items = draw(st.sampled_from([2, 3, 4] if case.moves else [1, 1, 2, 4]))
    clocks = draw(
        st.sampled_from(
            [["us", "ms"], ["us"], ["ms"], ["us", "us", "ms"]] if mixes_clocks else [["us"], ["ms"]]
        )
    )
    gaps = draw(st.sampled_from(_GAPS))
    # So few that an item often becomes what it was before.
    orders = draw(_lists_of(_orders(case), 2, 3))
    write = st.builds(
        Write,
        item=st.integers(0, items - 1),
        order=st.sampled_from([None, *orders]),
        later=st.sampled_from(gaps),
        clock=st.sampled_from(clocks),
        by_ttl=st.sampled_from([False, False, True]),
    )
    drawn = draw(_lists_of(write, 3, 16))
    return _made_whole(case, drawn, swaps=case.moves and draw(st.booleans()))


def _orders(case: Case) -> st.SearchStrategy[Order]:
    return st.builds(
        Order,
        status=st.sampled_from(_STATUSES),
        code=st.sampled_from((*_CODES, *_CODES, None)),
        total=st.sampled_from(_TOTALS),
        lines=_lines(may_be_long="for_each" in case.settings),
    )


@st.composite
def _lines(draw: st.DrawFn, *, may_be_long: bool) -> tuple[tuple[str, str], ...]:
    if may_be_long and draw(st.integers(0, 24)) == 24:
        return _LONG
    line = st.tuples(st.sampled_from(_SKUS), st.sampled_from(_QUANTITIES))
    return tuple(draw(st.lists(line, max_size=4)))


def _made_whole(case: Case, drawn: list[Write], *, swaps: bool) -> tuple[Write, ...]:
    """Without writes that change nothing, and with an end that can be true: what can't be is deleted then.

    `swaps`: the last two items that are there take each other's place in the end.
    """
    orders: dict[int, Order | None] = {}
    writes: list[Write] = []
    is_after_expiry = False
    for write in drawn:
        if write.order == orders.get(write.item):
            continue
        # What an order that can't be counted leaves counted, nobody can tell.
        is_expiry = (
            case.expires and write.by_ttl and write.order is None and case.takes(orders.get(write.item))
        )
        # Nor in which order an expiry and a later change of its tick came.
        later = write.later + _TICK if is_after_expiry else write.later
        orders[write.item] = write.order
        writes.append(write._replace(by_ttl=is_expiry, later=later))
        is_after_expiry = is_expiry
    clock = writes[-1].clock if writes else "us"
    taken: set[RowKey] = set()
    there: list[tuple[int, Order]] = []
    for item, order in orders.items():
        claimed = {key for key, _ in case.rows_of(item_keys(item, tuple(case.source_keys)), order)}
        if not case.takes(order) or (not case.is_aggregate and claimed & taken):
            writes.append(Write(item, None, _TICK, clock))
        elif order is not None:
            taken |= claimed
            there.append((item, order))
    if swaps and len(there) > 1:
        (one, its_order), (other, other_order) = there[-2:]
        writes += [Write(one, other_order, _TICK, clock), Write(other, its_order, 0, clock)]
    return tuple(writes)


@st.composite
def _shards(draw: st.DrawFn, numbers: list[int]) -> Shard:
    """The records of these writes: some late, some twice, by as many places as are drawn."""
    places: list[tuple[float, int]] = []
    for place, number in enumerate(numbers):
        late = draw(st.sampled_from([0.0, 0.0, 0.0, 1.5, 5.5]))
        places.append((place + late, number))
        again = draw(st.sampled_from([(), (), (), (0.0,), (2.5,), (0.0, 7.5)]))
        places += [(place + late + later, number) for later in again]
    return Shard(
        stream=tuple(number for _, number in sorted(places)),
        endings=tuple(draw(_lists_of(_endings(), 0, 4))),
    )


@st.composite
def _endings(draw: st.DrawFn) -> Ending:
    of_reads = draw(st.booleans())
    return Ending(
        step=draw(st.integers(1, 4) if of_reads else st.integers(1, 8) | st.integers(1, 40)),
        how=draw(st.sampled_from(["killed", "stolen", "stolen", "drained"])),
        back=draw(st.sampled_from([0, 1, 3, 1_000])),
        lingers=draw(st.sampled_from([1, 1, 2, None, 4, 8])),
        of_reads=of_reads,
    )
