"""Changes of an item that are taken as one, and what is left of them; records that are only to be buried."""

from consumer.errors import Rejected, Unavailable
from consumer.record import Granularity
from tests.support.changes import put
from tests.unit.shard.lanes.bench import AWAY, BAD
from tests.unit.shard.lanes.shelf import Shelf


def tied(shelf: Shelf, *micros: int) -> None:
    """Changes of item a by a clock of milliseconds."""
    tickets = [
        (ordinal, put("a", micro, granularity=Granularity.MILLISECOND))
        for ordinal, micro in enumerate(micros, 100)
    ]
    shelf.backlog.ready.came.extend(tickets)


def test_an_items_changes_that_wait_are_taken_as_one_and_other_items_side_by_side() -> None:
    shelf = Shelf("a1 b1 a2 a3 c1", coalesces=True)
    assert shelf.take() == "a1+a2+a3 b1 c1"
    assert [change.micros for change in shelf.batch.changes] == [3, 1, 1]
    assert len(shelf.batch.changes[0].between) == 2


def test_all_that_waits_of_an_item_is_taken_with_its_first_however_far_behind_it_is() -> None:
    shelf = Shelf("a1 b1 c1 a2 b2", coalesces=True, batch_size=2)
    assert shelf.take() == "a1+a2 b1+b2"
    shelf.settle("a1 a2 b1 b2")
    shelf.give("b3 c2 d1")
    assert shelf.take() == "c1+c2 b3"
    assert shelf.take() == "d1"
    assert (shelf.take(), shelf.backlog.due_at()) == (None, None)


def test_no_more_of_an_items_changes_than_a_batch_holds_are_taken_as_one() -> None:
    shelf = Shelf("a1 a2 b1 a3", coalesces=True, batch_size=2)
    assert shelf.take() == "a1+a2 b1"
    shelf.settle("a1 a2 b1")
    shelf.give("a4 a5")
    assert [shelf.take(), shelf.take()] == ["a3+a4", "a5"]


def test_what_is_far_behind_of_an_item_that_waits_is_not_begun_before_it() -> None:
    shelf = Shelf("a1 b1 c1 a2 c2", coalesces=True, batch_size=1)
    assert shelf.take() == "a1"
    shelf.put_back("a1", due=5.0)
    assert [shelf.take(), shelf.take(), shelf.take(), shelf.take()] == ["b1", "c1", "c2", None]
    shelf.give("a3")
    assert (shelf.take(), shelf.take(5.0)) == (None, "a1")
    shelf.settle("a1", 5.0)
    assert shelf.take(5.0) == "a2"
    shelf.settle("a2", 5.0)
    assert shelf.take(5.0) == "a3"


def test_a_store_that_may_be_back_is_asked_with_one_item() -> None:
    shelf = Shelf("a1 b1 a2", coalesces=True)
    assert shelf.take(probing=True) == "a1+a2"
    assert shelf.take(probing=True) == "b1"


def test_what_is_left_of_a_full_batch_waits_for_the_next_one_to_fill() -> None:
    shelf = Shelf("a1 b1 c1", coalesces=True, batch_size=2, window=3.0)
    assert shelf.take() == "a1 b1"
    assert (shelf.take(2.9), shelf.backlog.due_at()) == (None, 3.0)
    assert shelf.take(3.0) == "c1"


def test_without_coalescing_an_items_changes_go_one_by_one() -> None:
    shelf = Shelf("a1 b1 a2")
    assert shelf.take() == "a1 b1 a2"
    assert [change.between for change in shelf.batch.changes] == [(), (), ()]


def test_changes_that_tie_wait_for_the_ones_before_them() -> None:
    shelf = Shelf(coalesces=True)
    tied(shelf, 0, 1_000, 1_000, 2_000)
    shelf.give("b1")
    assert shelf.take() == "a0+a1000 b1"
    assert (shelf.take(), shelf.backlog.due_at()) == (None, None)
    shelf.give("b2")
    tied(shelf, 3_000)
    shelf.backlog.settled(shelf.batch.groups[0], 1.0)
    assert shelf.take(1.0) == "a1000+a2000 b2"
    shelf.backlog.settled(shelf.batch.groups[0], 2.0)
    assert shelf.take(2.0) == "a3000"
    shelf.backlog.settled(shelf.batch.groups[0], 3.0)
    assert shelf.backlog.held == {}


def test_what_failed_as_one_comes_back_in_front_of_what_could_not_be_taken_with_it() -> None:
    shelf = Shelf(coalesces=True)
    tied(shelf, 0, 1_000, 1_000)
    shelf.take()
    shelf.backlog.hold(shelf.batch.groups[0])
    shelf.backlog.wake("a", 4.0)
    assert (shelf.take(3.9), shelf.take(4.0), shelf.take(4.0)) == (None, "a0+a1000", None)


def test_what_failed_as_one_is_tried_with_what_came_since_up_to_the_batch_size() -> None:
    shelf = Shelf("a1 a2", coalesces=True, batch_size=3)
    shelf.take()
    shelf.put_back("a1 a2", due=4.0)
    shelf.give("a3 a4 b1")
    assert shelf.take() == "b1"
    assert shelf.take(4.0) == "a1+a2+a3"
    shelf.settle("a1 a2 a3", 4.0)
    assert shelf.take(4.0) == "a4"


def test_what_was_found_at_fault_is_not_taken_as_one_with_others() -> None:
    shelf = Shelf("a1 a2", coalesces=True)
    shelf.take()
    shelf.put_back("a1 a2", due=0.0, attempts=1)
    assert shelf.take() == "a1"


def test_what_was_taken_apart_is_tried_one_by_one_and_what_came_since_is_not() -> None:
    shelf = Shelf("a1 a2 a3", coalesces=True)
    shelf.take()
    shelf.backlog.take_apart(shelf.tickets("a1 a2 a3"))
    shelf.backlog.hold(shelf.tickets("a1 a2 a3"))
    shelf.backlog.wake("a", 0.0)
    shelf.give("a4 a5")
    for names in ("a1", "a2", "a3", "a4+a5"):
        assert shelf.take() == names
        shelf.settle(names.replace("+", " "))
    assert shelf.backlog.held == {}


def test_what_is_taken_as_one_is_cut_where_a_record_is_to_be_tried_apart() -> None:
    shelf = Shelf("a1 a2 a3 a4", coalesces=True)
    shelf.backlog.take_apart(shelf.tickets("a3"))
    assert shelf.take() == "a1+a2"
    shelf.settle("a1 a2")
    assert shelf.take() == "a3"


def test_a_batch_of_changes_taken_as_one_is_halved_by_its_records() -> None:
    shelf = Shelf("a1 b1 a2 a3", coalesces=True)
    assert shelf.take() == "a1+a2+a3 b1"
    shelf.backlog.halve(shelf.batch, 0.0)
    assert [shelf.take(), shelf.take()] == ["a1+a2", "a3 b1"]


def test_a_batch_of_an_item_of_which_more_waits_is_halved_without_that_item() -> None:
    shelf = Shelf(coalesces=True)
    tied(shelf, 0, 0)
    shelf.give("b1 c1")
    assert shelf.take() == "a0 b1 c1"
    shelf.backlog.halve(shelf.batch, 0.0)
    assert [shelf.take() for _ in range(4)] == ["b1", "c1", "a0", None]


def test_a_batch_kept_together_keeps_changes_that_were_taken_as_one_apart() -> None:
    shelf = Shelf("a1 a2 b1", coalesces=True)
    shelf.take()
    shelf.backlog.keep_together(shelf.batch, due=0.0)
    assert shelf.take() == "a1 a2 b1"


def test_a_condemned_record_is_buried_when_its_turn_comes_and_its_item_waits_for_that() -> None:
    shelf = Shelf("a1 a2 b1")
    shelf.take()
    shelf.put_back("a1 a2", due=1.0, attempts=6)
    shelf.condemn("a1")
    assert (shelf.buried(0.9), shelf.buried(1.0), shelf.buried(1.0)) == ("", "a1", "")
    shelf.give("a3 c1")
    assert (shelf.take(1.0), shelf.take(9.0)) == ("c1", None)
    shelf.settle("a1", 9.0)
    assert shelf.take(9.0) == "a2 a3"


def test_the_records_before_a_condemned_one_are_delivered_first_and_without_it() -> None:
    shelf = Shelf("a1 a2 a3 a4")
    shelf.take()
    shelf.put_back("a1 a2 a3 a4", due=0.0)
    shelf.condemn("a3")
    shelf.settle("", 0.0)
    assert shelf.take() == "a1"
    shelf.settle("a1")
    assert shelf.take() == "a2"
    assert shelf.buried() == ""
    shelf.settle("a2")
    assert (shelf.buried(), shelf.take()) == ("a3", None)
    shelf.settle("a3")
    assert shelf.take() == "a4"


def test_several_condemned_records_of_an_item_are_buried_one_after_the_other() -> None:
    shelf = Shelf("a1 b1 a2")
    shelf.take()
    shelf.condemn("a1 a2 b1")
    shelf.put_back("a1 a2", due=0.0)
    shelf.put_back("b1", due=0.0)
    assert shelf.buried() == "a1 b1"
    shelf.settle("b1")
    assert shelf.buried() == ""
    shelf.settle("a1")
    assert shelf.buried() == "a2"


def woken(error: Rejected | Unavailable, *, alone: bool = False) -> bool:
    """Whether the store's return wakes an item that waits for this reason."""
    shelf = Shelf("a1")
    shelf.take()
    shelf.put_back("a1", due=30.0, alone=alone)
    shelf.backlog.held["a"].error = error
    shelf.backlog.wake_unavailable(2.0)
    return shelf.take(2.0) == "a1"


def test_the_stores_return_wakes_who_waited_for_it_and_nobody_else() -> None:
    assert woken(AWAY)
    assert not woken(BAD)
    assert not woken(AWAY, alone=True)


def test_the_stores_return_does_not_wake_what_is_under_way() -> None:
    shelf = Shelf("a1", coalesces=True)
    shelf.take()
    shelf.put_back("a1", due=1.0)
    shelf.backlog.held["a"].error = AWAY
    assert shelf.take(1.0) == "a1"
    shelf.backlog.wake_unavailable(1.0)
    assert (shelf.take(1.0), shelf.backlog.due_at()) == (None, None)


def test_a_store_that_comes_and_goes_wakes_an_item_once_until_it_is_settled() -> None:
    shelf = Shelf("a1 a2", coalesces=True)
    shelf.take()
    for is_woken in (True, False):
        shelf.put_back("a1", due=30.0)
        shelf.backlog.held["a"].error = AWAY
        shelf.backlog.wake_unavailable(2.0)
        assert shelf.backlog.held["a"].failures == (0 if is_woken else 1)
        assert (shelf.take(2.0) is not None) is is_woken
    assert shelf.take(30.0) == "a1"
    shelf.settle("a1", 30.0)
    shelf.give("a3")
    assert shelf.take(30.0) == "a3"
    shelf.put_back("a3", due=60.0)
    shelf.backlog.held["a"].error = AWAY
    shelf.backlog.wake_unavailable(31.0)
    assert shelf.take(31.0) == "a3"


def test_the_stores_return_ends_the_wait_of_a_batch_that_is_kept_together() -> None:
    shelf = Shelf("a1 b1")
    shelf.take()
    shelf.backlog.keep_together(shelf.batch, due=30.0)
    shelf.backlog.wake_unavailable(2.0)
    assert shelf.take(2.0) == "a1 b1"


def test_a_change_that_stands_alone_is_delivered_as_one_of_none_wherever_it_is_in_its_items_line() -> None:
    shelf = Shelf("a1 a2 a3 a4 a5 b1 b2", coalesces=True, alone="a3")
    assert shelf.take() == "a1+a2 b1+b2"
    shelf.settle("a1 a2 b1 b2")
    assert shelf.take() == "a3"
    shelf.settle("a3")
    assert shelf.take() == "a4+a5"


def test_changes_that_stand_alone_are_told_from_their_neighbours_in_a_line_that_was_held() -> None:
    shelf = Shelf("a1 a2 a3 a4", coalesces=True, alone="a1 a2 a4")
    assert shelf.take() == "a1"
    shelf.put_back("a1", due=1.0)
    for expected in ("a1", "a2", "a3", "a4"):
        assert shelf.take(1.0) == expected
        shelf.settle(expected, 1.0)
