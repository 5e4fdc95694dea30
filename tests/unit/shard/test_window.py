import os
import select
import tracemalloc

import pytest

from consumer.shard.window import Window


def is_awake(window: Window) -> bool:
    readable, _, _ = select.select([window.wake_reader], [], [], 0)
    return bool(readable)


@pytest.fixture
def window() -> Window:
    return Window(records=10, size=1_000)


@pytest.mark.parametrize(
    ("records", "size", "is_full"), [(9, 999, False), (10, 1, True), (1, 1_000, True), (0, 0, False)]
)
def test_it_is_full_at_either_bound(window: Window, records: int, size: int, is_full: bool) -> None:  # noqa: FBT001 - a column of the table
    window.admit(records, size)
    assert window.is_full is is_full


def test_a_message_larger_than_the_window_is_taken_whole_and_fills_it_until_all_is_settled(
    window: Window,
) -> None:
    window.admit(1, 5_000)
    assert window.is_full
    window.release(1)
    assert (window.is_full, window.size) == (False, 0)


def test_records_make_room_one_by_one_and_bytes_with_their_messages_last_record(window: Window) -> None:
    window.admit(3, 300)
    window.admit(2, 200)
    figures = []
    for settled in (1, 2, 3, 4, 5):
        window.release(settled)
        figures.append((window.records, window.size))
    assert figures == [(4, 500), (3, 500), (2, 200), (1, 200), (0, 0)]


def test_one_release_can_pass_several_messages(window: Window) -> None:
    for _ in range(3):
        window.admit(2, 10)
    window.release(5)
    assert (window.records, window.size) == (1, 10)


def test_messages_without_records_on_an_idle_stream_cost_no_memory(window: Window) -> None:
    window.admit(1, 10)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(10_000):
        window.admit(0, 0)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 10_000
    window.release(1)
    assert (window.records, window.size) == (0, 0)


def test_room_wakes_the_protocol_thread_only_while_it_waits(window: Window) -> None:
    window.admit(10, 100)
    window.release(1)
    assert not is_awake(window)
    window.is_awaited = True
    window.release(2)
    assert is_awake(window)


def test_wake_ups_are_forgotten_together(window: Window) -> None:
    for _ in range(3):
        window.wake()
    window.clear_wake()
    assert not is_awake(window)


def test_more_wake_ups_than_the_pipe_holds_do_no_harm(window: Window) -> None:
    for _ in range(100_000):
        window.wake()
    assert is_awake(window)
    window.clear_wake()
    assert not is_awake(window)


def test_a_window_has_a_pipe_of_its_own(window: Window) -> None:
    other = Window(records=1, size=1)
    other.wake()
    assert is_awake(other)
    assert not is_awake(window)
    assert os.get_inheritable(other.wake_reader) is False
