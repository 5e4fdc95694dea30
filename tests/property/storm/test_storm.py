"""A thousand histories, always the same; `make storm` draws others."""

import pytest

from tests.property.storm.climate import draw
from tests.property.storm.outfit import Outfit
from tests.property.storm.report import failure_of
from tests.property.storm.voyage import carry_out

HISTORIES = 1_000
PORTION = 50

TROUBLES = {
    "killed",
    "stolen",
    "drained",
    "finds its lease lost",
    "takes several as one",
    "ties",
    "held",
    "raises",
    "pauses on a rejected run",
    "NotAnEnvelope",
    "NoImage",
    "RecordTooOld",
    "HandlerFailed",
    "NotUnderstood",
    "ValidationException",
}
"""As the trace tells of them."""


@pytest.fixture(scope="module")
def outfit() -> Outfit:
    return Outfit()


@pytest.mark.parametrize("first", range(0, HISTORIES, PORTION))
def test_the_promise_holds_whatever_happens_to_a_shard(first: int, outfit: Outfit) -> None:
    for seed in range(first, first + PORTION):
        report = failure_of(seed, outfit)
        assert report is None, report


def test_there_is_hardly_a_trouble_that_does_not_come(outfit: Outfit) -> None:
    seen: set[str] = set()
    for seed in range(200):
        for note in carry_out(draw(seed), outfit)[1]:
            seen |= {note.what, *(str(detail) for detail in note.details if note.what != "begins")}

    assert seen >= TROUBLES


def test_a_seed_tells_the_same_history_every_time(outfit: Outfit) -> None:
    for seed in range(10):
        assert carry_out(draw(seed), outfit) == carry_out(draw(seed), outfit)
