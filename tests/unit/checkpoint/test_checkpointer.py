from collections.abc import Callable

import pytest

from checkpoint.checkpointer import Checkpointer, CheckpointRefusedError, Place, Verdict

FIRST: Place = ("49590338271490256608559692538361571095921575989136588898", 0)
SECOND: Place = ("49590338271490256608559692540925702759324208523137515618", 1)


class Kcl:
    """Answers checkpoints, one by one as told and then with yes."""

    def __init__(self, *answers: str | None) -> None:
        self.asked: list[tuple[str | None, int | None]] = []
        self._answers = list(answers)

    def checkpoint(self, sequence_number: str | None, sub_sequence_number: int | None) -> str | None:
        self.asked.append((sequence_number, sub_sequence_number))
        return self._answers.pop(0) if self._answers else None


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def make(
    kcl: Kcl, clock: Clock | None = None, on_failure: Callable[[str], None] = lambda _: None
) -> Checkpointer:
    return Checkpointer(kcl.checkpoint, interval=5.0, clock=clock or Clock(), on_failure=on_failure)


def test_a_new_place_is_checkpointed_and_remembered() -> None:
    kcl = Kcl()
    checkpointer = make(kcl)
    assert checkpointer.checkpoint(FIRST) is Verdict.DONE
    assert (kcl.asked, checkpointer.last) == ([FIRST], FIRST)


def test_a_place_kcl_has_accepted_is_not_checkpointed_again() -> None:
    kcl = Kcl()
    checkpointer = make(kcl)
    for place in (FIRST, FIRST, SECOND, SECOND):
        checkpointer.checkpoint(place)
    assert kcl.asked == [FIRST, SECOND]


def test_before_anything_is_settled_there_is_nothing_to_checkpoint() -> None:
    kcl = Kcl()
    assert make(kcl).checkpoint(None) is Verdict.DONE
    assert kcl.asked == []


def test_a_due_checkpoint_waits_for_the_interval_since_the_last_one() -> None:
    kcl, clock = Kcl(), Clock()
    checkpointer = make(kcl, clock)
    asked_after: list[int] = []
    for now, place in [(104.9, FIRST), (105.0, FIRST), (106.0, SECOND), (109.9, SECOND), (110.0, SECOND)]:
        clock.now = now
        checkpointer.checkpoint_if_due(place)
        asked_after.append(len(kcl.asked))
    assert asked_after == [0, 1, 1, 1, 2]


@pytest.mark.parametrize(
    "error",
    ["ThrottlingException", "KinesisClientLibDependencyException", "KinesisClientLibRetryableException"],
)
def test_a_passing_refusal_is_asked_again_after_the_interval_and_not_before(error: str) -> None:
    kcl, clock = Kcl(error), Clock()
    failures: list[str] = []
    checkpointer = make(kcl, clock, failures.append)
    clock.now = 105.0
    assert checkpointer.checkpoint_if_due(FIRST) is Verdict.LATER
    assert (checkpointer.last, failures) == (None, [error])
    clock.now = 107.0
    assert checkpointer.checkpoint_if_due(FIRST) is Verdict.DONE
    assert kcl.asked == [FIRST]
    clock.now = 110.0
    assert checkpointer.checkpoint_if_due(FIRST) is Verdict.DONE
    assert (kcl.asked, checkpointer.last) == ([FIRST, FIRST], FIRST)


def test_a_refusal_because_the_lease_is_gone_says_to_stop() -> None:
    failures: list[str] = []
    checkpointer = make(Kcl("ShutdownException"), on_failure=failures.append)
    assert checkpointer.checkpoint(FIRST) is Verdict.LOST
    assert (checkpointer.last, failures) == (None, ["ShutdownException"])


@pytest.mark.parametrize(
    "error", ["InvalidStateException", "IllegalArgumentException", "NullPointerException", "SomethingNew"]
)
def test_any_other_refusal_is_loud_and_names_the_place_and_the_reason(error: str) -> None:
    failures: list[str] = []
    checkpointer = make(Kcl(error), on_failure=failures.append)
    with pytest.raises(CheckpointRefusedError, match=rf"{FIRST[0]}.*{error}"):
        checkpointer.checkpoint(FIRST)
    assert (checkpointer.last, failures) == (None, [error])


def test_the_end_of_a_shard_is_a_bare_checkpoint() -> None:
    kcl = Kcl()
    assert make(kcl).finish() is Verdict.DONE
    assert kcl.asked == [(None, None)]


@pytest.mark.parametrize(
    ("error", "verdict"), [("ThrottlingException", Verdict.LATER), ("ShutdownException", Verdict.LOST)]
)
def test_the_end_of_a_shard_can_be_refused_like_any_checkpoint(error: str, verdict: Verdict) -> None:
    assert make(Kcl(error)).finish() is verdict


def test_a_refused_end_of_a_shard_is_loud() -> None:
    with pytest.raises(CheckpointRefusedError, match="the end of the shard"):
        make(Kcl("InvalidStateException")).finish()
