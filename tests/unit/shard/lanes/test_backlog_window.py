"""A batch waits for its window to fill; what waits for another reason does not wait for the window too."""

from tests.unit.shard.lanes.shelf import Shelf


def test_a_batch_waits_until_it_is_full_or_its_window_is_over() -> None:
    shelf = Shelf("", window=5.0, batch_size=3)
    shelf.give("a1", now=10.0)
    shelf.give("b1", now=12.0)
    assert (shelf.take(14.9), shelf.backlog.due_at()) == (None, 15.0)
    assert shelf.take(15.0) == "a1 b1"
    shelf.give("a2 b2 c2", now=20.0)
    assert shelf.take(20.0) == "a2 b2 c2"
    assert shelf.backlog.due_at() is None


def test_what_is_left_of_a_full_batch_waits_for_a_window_of_its_own() -> None:
    shelf = Shelf("", window=5.0, batch_size=2)
    shelf.give("a1 b1 c1", now=10.0)
    assert (shelf.take(11.0), shelf.take(15.9), shelf.backlog.due_at()) == ("a1 b1", None, 16.0)
    assert shelf.take(16.0) == "c1"
    shelf.give("d1", now=30.0)
    assert (shelf.take(34.0), shelf.take(35.0)) == (None, "d1")


def test_an_item_that_waits_for_another_try_does_not_wait_for_the_window() -> None:
    shelf = Shelf("", window=5.0)
    shelf.give("a1", now=0.0)
    assert shelf.take(5.0) == "a1"
    shelf.put_back("a1", due=6.0)
    shelf.give("b1", now=5.0)
    assert shelf.backlog.due_at() == 6.0
    assert shelf.take(6.0) == "a1"
    shelf.settle("a1", 6.0)
    assert (shelf.take(9.9), shelf.backlog.due_at(), shelf.take(10.0)) == (None, 10.0, "b1")


def test_an_item_whose_time_comes_fills_the_batch_with_what_came() -> None:
    shelf = Shelf("", window=5.0, batch_size=2)
    shelf.give("a1 b1", now=0.0)
    shelf.take(0.0)
    shelf.put_back("a1", due=1.0)
    shelf.give("c1", now=1.0)
    assert shelf.take(1.0) == "a1 c1"


def test_a_probe_does_not_wait_for_the_window() -> None:
    shelf = Shelf("", window=5.0)
    shelf.give("a1", now=0.0)
    assert shelf.take(0.0, probing=True) == "a1"


def test_records_that_only_join_items_that_wait_make_no_batch() -> None:
    shelf = Shelf("a1")
    shelf.take()
    shelf.put_back("a1", due=9.0)
    shelf.give("a2 a3")
    assert (shelf.take(), shelf.backlog.due_at()) == (None, 9.0)
