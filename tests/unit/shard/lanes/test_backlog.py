"""What a lane delivers next: the order of what came, of what waits, and of a batch's halves."""

import pytest

from tests.unit.shard.lanes.shelf import Shelf


def test_what_came_is_taken_in_stream_order_up_to_the_batch_size() -> None:
    shelf = Shelf("a1 b1 a2 c1", batch_size=3)
    assert [shelf.take(), shelf.take(), shelf.take()] == ["a1 b1 a2", "c1", None]
    assert shelf.backlog.due_at() is None


def test_a_probe_is_one_change() -> None:
    shelf = Shelf("a1 b1")
    assert [shelf.take(probing=True), shelf.take()] == ["a1", "b1"]


def test_a_record_of_an_item_that_waits_queues_behind_it_and_the_other_items_go_on() -> None:
    shelf = Shelf("a1 a2 b1")
    assert shelf.take() == "a1 a2 b1"
    shelf.settle("b1")
    shelf.put_back("a1 a2", due=5.0)
    shelf.give("b2 a3 c1")
    assert shelf.take(4.9) == "b2 c1"
    shelf.settle("b2 c1", 4.9)
    assert (shelf.take(4.9), shelf.backlog.due_at()) == (None, 5.0)
    assert shelf.take(5.0) == "a1"
    shelf.settle("a1", 5.0)
    assert shelf.take(5.0) == "a2 a3"
    shelf.settle("a2 a3", 5.0)
    assert shelf.backlog.held == {}


def test_an_item_that_is_tried_again_waits_while_it_is_under_way() -> None:
    shelf = Shelf("a1")
    shelf.take()
    shelf.put_back("a1", due=1.0)
    assert shelf.take(1.0) == "a1"
    shelf.give("a2 b1")
    assert shelf.take(9.0) == "b1"
    shelf.put_back("a1", due=10.0)
    assert (shelf.take(9.0), shelf.take(10.0)) == (None, "a1")


def test_an_item_that_is_woken_for_another_time_goes_by_the_last_one() -> None:
    shelf = Shelf("a1")
    shelf.take()
    shelf.put_back("a1", due=1.0)
    shelf.backlog.wake("a", 3.0)
    assert (shelf.take(1.0), shelf.backlog.due_at()) == (None, 3.0)
    shelf.backlog.wake("a", 2.0)
    assert (shelf.take(2.0), shelf.take(3.0)) == ("a1", None)


def test_a_record_put_back_in_front_of_others_makes_its_item_wait_anew() -> None:
    shelf = Shelf("a1 a2")
    shelf.take()
    shelf.put_back("a2", due=1.0)
    shelf.backlog.hold(shelf.tickets("a1"))
    assert shelf.take(1.0) is None
    shelf.backlog.wake("a", 2.0)
    assert shelf.take(2.0) == "a1"


def test_items_whose_time_has_come_go_first_by_their_time_and_what_came_fills_the_batch() -> None:
    shelf = Shelf("a1 b1", batch_size=3)
    shelf.take()
    shelf.put_back("a1", due=2.0)
    shelf.put_back("b1", due=1.0)
    shelf.give("c1 d1")
    assert [shelf.take(2.0), shelf.take(2.0)] == ["b1 a1 c1", "d1"]


def test_an_items_records_that_wait_do_not_exceed_the_batch_size() -> None:
    shelf = Shelf("a1 a2 a3 a4", batch_size=3)
    assert shelf.take() == "a1 a2 a3"
    shelf.put_back("a1 a2 a3", due=0.0)
    assert shelf.take() == "a1"
    shelf.settle("a1")
    shelf.give("b1 a5")
    assert shelf.take() == "a2 a3 a4"
    shelf.settle("a2 a3 a4")
    assert shelf.take() == "b1 a5"


def test_several_items_records_that_wait_do_not_exceed_the_batch_size_together() -> None:
    shelf = Shelf("a1 b1 a2 b2 a3 b3", batch_size=3)
    assert [shelf.take(), shelf.take()] == ["a1 b1 a2", "b2 a3 b3"]
    shelf.put_back("a1 a2 a3", due=0.0)
    shelf.put_back("b1 b2 b3", due=0.0)
    assert shelf.take() == "a1 b1"
    shelf.settle("a1", 1.0)
    shelf.settle("b1", 2.0)
    assert [shelf.take(2.0), shelf.take(2.0)] == ["a2 a3 b2", None]
    shelf.settle("b2", 2.0)
    assert shelf.take(2.0) == "b3"


def test_the_first_record_of_an_item_that_failed_is_tried_without_those_behind_it() -> None:
    shelf = Shelf("a1 a2 b1")
    shelf.take()
    shelf.settle("b1")
    shelf.put_back("a1 a2", due=0.0)
    shelf.give("b2")
    assert shelf.take() == "a1 b2"


def test_a_record_to_be_tried_alone_is_alone_in_its_batch() -> None:
    shelf = Shelf("a1 b1 c1")
    shelf.take()
    shelf.put_back("a1", due=1.0)
    shelf.put_back("b1", due=2.0, alone=True)
    shelf.put_back("c1", due=3.0)
    shelf.give("d1")
    assert shelf.take(3.0) == "a1 d1"
    assert shelf.take(3.0) == "b1"
    assert shelf.take(3.0) == "c1"


@pytest.mark.parametrize("alone", [True, False])
def test_what_came_takes_turns_with_items_that_fill_every_batch(*, alone: bool) -> None:
    shelf = Shelf("a1 b1", batch_size=2 if alone else 1)
    taken = []
    shelf.take()
    shelf.take()
    shelf.put_back("a1", due=0.0, alone=alone)
    shelf.put_back("b1", due=0.0, alone=alone)
    shelf.give("c1 d1 e1")
    for now in (1.0, 2.0, 3.0, 4.0):
        taken.append(shelf.take(now))
        if taken[-1] in {"a1", "b1"}:
            shelf.put_back(taken[-1], due=now, alone=alone)
    assert taken == ["a1", "c1 d1" if alone else "c1", "b1", "e1" if alone else "d1"]


def test_what_came_takes_turns_with_items_that_wait_in_probes_too() -> None:
    shelf = Shelf("a1 b1")
    shelf.take()
    shelf.put_back("a1", due=0.0)
    shelf.put_back("b1", due=0.0)
    shelf.give("c1")
    assert [shelf.take(1.0, probing=True) for _ in range(3)] == ["a1", "c1", "b1"]


def test_items_that_wait_do_not_give_up_a_turn_where_nothing_came() -> None:
    shelf = Shelf("a1", batch_size=1)
    shelf.take()
    for now in (1.0, 2.0):
        shelf.put_back("a1", due=now)
        assert shelf.take(now) == "a1"


def test_a_batch_that_fails_as_a_whole_is_halved_in_front_of_everything_else() -> None:
    shelf = Shelf("a1 b1 a2 c1 d1", batch_size=4)
    shelf.take()
    shelf.backlog.halve(shelf.batch, 0.0)
    assert shelf.backlog.due_at() == 0.0
    assert shelf.take() == "a1 b1"
    shelf.backlog.halve(shelf.batch, 0.0)
    assert [shelf.take() for _ in range(5)] == ["a1", "b1", "a2 c1", "d1", None]


def test_the_half_of_an_odd_batch_that_is_tried_first_is_the_smaller_one() -> None:
    shelf = Shelf("a1 b1 c1")
    shelf.take()
    shelf.backlog.halve(shelf.batch, 0.0)
    assert [shelf.take(), shelf.take()] == ["a1", "b1 c1"]


def test_a_record_in_a_later_half_queues_behind_its_item_that_has_come_to_wait() -> None:
    shelf = Shelf("a1 b1 a2 c1")
    shelf.take()
    shelf.backlog.halve(shelf.batch, 0.0)
    assert shelf.take() == "a1 b1"
    shelf.settle("b1")
    shelf.put_back("a1", due=7.0)
    shelf.give("a3 b2")
    assert [shelf.take(), shelf.take(), shelf.take()] == ["c1", "b2", None]
    assert shelf.take(7.0) == "a1"
    shelf.settle("a1", 7.0)
    assert shelf.take(7.0) == "a2 a3"


def test_halves_of_which_nothing_is_left_are_passed_over() -> None:
    shelf = Shelf("a1 a2")
    shelf.take()
    shelf.backlog.halve(shelf.batch, 0.0)
    assert shelf.take() == "a1"
    shelf.put_back("a1", due=7.0)
    shelf.give("b1")
    assert shelf.take() == "b1"


def test_a_probe_out_of_a_half_leaves_the_rest_where_it_was() -> None:
    shelf = Shelf("a1 b1 c1 d1")
    shelf.take()
    shelf.backlog.halve(shelf.batch, 0.0)
    assert [shelf.take(probing=True), shelf.take(), shelf.take()] == ["a1", "b1", "c1 d1"]


def test_of_a_batch_that_fails_as_a_whole_items_that_waited_already_are_tried_alone() -> None:
    shelf = Shelf("a1")
    shelf.take()
    shelf.put_back("a1", due=1.0)
    shelf.give("b1 c1")
    assert shelf.take(1.0) == "a1 b1 c1"
    shelf.backlog.halve(shelf.batch, 1.0)
    shelf.give("a2")
    assert [shelf.take(1.0), shelf.take(1.0), shelf.take(1.0), shelf.take(1.0)] == ["b1", "c1", "a1", None]
    shelf.settle("a1", 1.0)
    assert shelf.take(1.0) == "a2"


def test_a_batch_that_is_kept_together_is_delivered_as_it_is_before_anything_else() -> None:
    shelf = Shelf("a1 b1 a2 c1", batch_size=3)
    shelf.take()
    shelf.batch.attempts = shelf.batch.failures = 4
    shelf.backlog.keep_together(shelf.batch, due=3.0)
    assert (shelf.take(2.9), shelf.backlog.due_at()) == (None, 3.0)
    assert shelf.take(3.0) == "a1 b1 a2"
    assert (shelf.batch.attempts, shelf.batch.failures) == (4, 4)
    assert shelf.take(3.0) == "c1"
    assert (shelf.batch.attempts, shelf.batch.failures) == (0, 0)


def test_of_a_batch_that_is_kept_together_items_that_waited_already_are_tried_alone() -> None:
    shelf = Shelf("a1")
    shelf.take()
    shelf.put_back("a1", due=0.0)
    shelf.give("b1 c1")
    shelf.take()
    shelf.backlog.keep_together(shelf.batch, due=3.0)
    assert [shelf.take(2.9), shelf.take(3.0), shelf.take(3.0)] == [None, "b1 c1", "a1"]


def test_a_batch_of_items_that_waited_already_leaves_nothing_to_wait_for_together() -> None:
    shelf = Shelf("a1")
    shelf.take()
    shelf.put_back("a1", due=0.0)
    assert shelf.take() == "a1"
    shelf.backlog.keep_together(shelf.batch, due=30.0)
    shelf.give("b1")
    assert (shelf.take(1.0), shelf.take(30.0)) == ("b1", "a1")
