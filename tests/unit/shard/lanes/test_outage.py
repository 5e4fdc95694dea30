"""What is taken for an outage, what ends it, and what counts against a record."""

import json
from io import BytesIO

from consumer.errors import Rejected
from consumer.log import open_log
from consumer.shard.lanes.outage import REJECTED_RUN, STEADY_SECONDS, Outage
from consumer.shard.lanes.tools import LaneTools, Trouble
from tests.unit.shard.lanes.bench import AWAY

OF_THE_STORE = Rejected("no such column", code="42703", by_store=True)
OF_THE_STORE_TOO = Rejected("out of range", code="22003", by_store=True)
OF_THE_RECORD = Rejected("no key", code="KeyIsNull")


class Known:
    """An outage, and who was told of what."""

    def __init__(self, *, pauses_on_rejected_run: bool = True) -> None:
        self.trouble = Trouble()
        self.runs = 0
        self.told = 0
        self.now = 50.0
        self.log = BytesIO()
        tools = LaneTools(
            clock=lambda: self.now,
            uniform=lambda: 1.0,
            log=open_log(self.log),
            on_rejected_run=self._count_run,
            trouble=self.trouble,
        )
        self.outage = Outage("view", tools, pauses_on_rejected_run=pauses_on_rejected_run)
        self.outage.tell(self._count_recovery)

    def reject(self, *ordinals: int, error: Rejected = OF_THE_STORE) -> list[bool]:
        """Whether each rejection counts against its record."""
        return [self.outage.rejected(ordinal, error) for ordinal in ordinals]

    def events(self) -> list[str]:
        """What the log was told."""
        return [json.loads(line)["event"] for line in self.log.getvalue().splitlines()]

    def _count_run(self) -> None:
        self.runs += 1

    def _count_recovery(self) -> None:
        self.told += 1


def test_a_store_that_is_away_is_an_outage_until_it_answers() -> None:
    known = Known()
    seen = [known.outage.is_on]
    known.outage.unavailable(AWAY)
    seen.append(known.outage.is_on)
    known.outage.answered()
    assert (seen, known.outage.is_on) == ([False, True], False)
    assert (known.outage.recoveries, known.told) == (1, 1)


def test_an_answer_without_an_outage_wakes_nobody() -> None:
    known = Known()
    known.outage.answered()
    known.reject(1)
    assert (known.outage.recoveries, known.told) == (0, 0)


def test_it_is_known_how_often_the_store_answered_whatever_it_said() -> None:
    known = Known()
    known.outage.unavailable(AWAY)
    known.reject(1, error=OF_THE_RECORD)
    assert known.outage.answers == 0
    known.reject(1)
    assert known.outage.answers == 1
    known.outage.answered()
    assert known.outage.answers == 2


def test_an_outage_is_told_from_its_first_failure_on_with_its_latest_error() -> None:
    known = Known()
    known.outage.unavailable(AWAY)
    known.now = 90.0
    known.outage.unavailable(type(AWAY)("denied", code="AccessDenied"))
    assert (known.trouble.since, known.trouble.last_error) == (50.0, "AccessDenied: denied")
    known.outage.answered()
    assert known.trouble.since is None
    assert known.events() == ["waiting for a store", "the store is back"]


def test_a_store_that_comes_and_goes_is_told_once_until_it_has_stayed() -> None:
    known = Known()
    for _ in range(50):
        known.outage.unavailable(AWAY)
        known.now += STEADY_SECONDS - 1
        known.outage.answered()
        known.now += STEADY_SECONDS - 1
        known.outage.answered()
    begun = ["waiting for a store", "the store is back", "the store comes and goes"]
    assert known.events() == begun
    known.now += 1
    known.outage.answered()
    assert known.events() == [*begun, "the store is back"]
    known.outage.answered()
    known.outage.unavailable(AWAY)
    assert known.events() == [*begun, "the store is back", "waiting for a store"]
    assert known.told == 50, "whoever waits is told each time"


def test_a_store_whose_stay_nobody_saw_is_waited_for_anew() -> None:
    known = Known()
    for _ in range(2):
        known.outage.unavailable(AWAY)
        known.outage.answered()
    known.now += STEADY_SECONDS
    known.outage.unavailable(AWAY)
    known.outage.answered()
    assert known.events()[-3:] == ["the store comes and goes", "waiting for a store", "the store is back"]


def test_a_store_that_rejects_has_stayed_too() -> None:
    known = Known()
    for _ in range(2):
        known.outage.unavailable(AWAY)
        known.outage.answered()
    known.now += STEADY_SECONDS
    known.reject(1)
    assert known.events()[-2:] == ["the store comes and goes", "the store is back"]


def test_a_store_that_rejects_is_there() -> None:
    known = Known()
    known.outage.unavailable(AWAY)
    assert known.reject(1) == [True]
    assert (known.outage.is_on, known.told) == (False, 1)


def test_a_rejection_that_is_not_the_stores_says_nothing_of_the_store() -> None:
    known = Known()
    known.outage.unavailable(AWAY)
    assert known.reject(*range(100), error=OF_THE_RECORD) == [True] * 100
    assert (known.outage.is_on, known.told, known.runs) == (True, 0, 0)


def test_twenty_different_records_in_a_row_with_one_code_are_an_outage_and_do_not_count() -> None:
    known = Known()
    assert known.reject(*range(REJECTED_RUN - 1)) == [True] * 19
    assert (known.outage.is_on, known.runs) == (False, 0)
    assert known.reject(19, 20, 3) == [False] * 3
    assert (known.outage.is_on, known.runs) == (True, 1)
    assert known.trouble.last_error == (
        "20 records in a row were rejected with 42703, so the store itself seems wrong (another schema?): "
        "no such column; mend it, or set delivery.on_rejected_run to dead_letter"
    )


def test_the_same_record_twenty_times_is_no_outage() -> None:
    known = Known()
    known.reject(*range(18))
    assert known.reject(*[18] * 100) == [True] * 100
    assert not known.outage.is_on


def test_two_codes_are_no_run() -> None:
    known = Known()
    for ordinal in range(100):
        error = OF_THE_STORE_TOO if ordinal % REJECTED_RUN == REJECTED_RUN - 1 else OF_THE_STORE
        assert known.reject(ordinal, error=error) == [True]
    assert not known.outage.is_on


def test_a_success_in_between_begins_the_run_anew() -> None:
    known = Known()
    for first in (0, 100, 200):
        assert known.reject(*range(first, first + 19)) == [True] * 19
        known.outage.answered()
    assert known.reject(*range(300, 320)) == [True] * 19 + [False]


def test_rejections_that_are_not_the_stores_do_not_end_a_run() -> None:
    known = Known()
    known.reject(*range(19))
    known.reject(19, error=OF_THE_RECORD)
    assert not known.outage.is_on
    assert known.reject(20) == [False]


def test_an_outage_in_between_does_not_end_a_run() -> None:
    known = Known()
    known.reject(*range(19))
    known.outage.unavailable(AWAY)
    assert known.reject(19) == [False]


def test_a_run_lasts_until_something_gets_through_whatever_the_code() -> None:
    known = Known()
    known.reject(*range(20))
    assert known.reject(30, 31, error=OF_THE_STORE_TOO) == [False, False]
    assert known.reject(32, error=OF_THE_RECORD) == [True]
    assert (known.outage.is_on, known.told) == (True, 0)
    known.outage.answered()
    assert (known.outage.is_on, known.told) == (False, 1)
    assert known.reject(30, error=OF_THE_STORE_TOO) == [True]
    assert known.reject(*range(20)) == [True] * 19 + [False]
    assert known.runs == 2


def test_where_runs_are_not_to_pause_every_rejection_counts() -> None:
    known = Known(pauses_on_rejected_run=False)
    assert known.reject(*range(100)) == [True] * 100
    assert (known.outage.is_on, known.runs) == (False, 0)


def test_each_processor_has_its_own() -> None:
    one, other = Known(), Known()
    one.reject(*range(20))
    assert (one.outage.is_on, other.outage.is_on) == (True, False)
