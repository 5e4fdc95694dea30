"""What is seen while a redrive runs."""

import io

from rich.console import Console

from consumer.commands.redrive.screen import open_screen
from consumer.commands.redrive.tally import Tally


def tally(taken: int) -> Tally:
    made = Tally(taken=taken)
    made.settled["applied"] = taken
    return made


def test_a_pipe_gets_a_line_when_it_waits_and_no_bar() -> None:
    seen = io.StringIO()
    with open_screen(Console(file=seen), 10) as screen:
        for why in ("the store is away", "the store is away", None, "the queue is away"):
            screen.wait(why)
            screen.show(tally(1))

    assert seen.getvalue().splitlines() == [
        "waiting, and trying again: the store is away",
        "waiting, and trying again: the queue is away",
    ]


def test_a_terminal_gets_a_bar_that_tells_what_is_waited_for() -> None:
    seen = io.StringIO()
    with open_screen(Console(file=seen, force_terminal=True, width=120), 10) as screen:
        screen.wait("the [store] is away")
        screen.wait("the [store] is away")
    assert seen.getvalue().count("waiting, and trying again: the [store] is away") == 1


def test_a_bar_has_room_for_letters_that_came_meanwhile() -> None:
    seen = io.StringIO()
    with open_screen(Console(file=seen, force_terminal=True, width=120), 2) as screen:
        screen.show(tally(5))
    assert "5/5" in seen.getvalue()
    assert "5 settled (5 applied)" in seen.getvalue()
