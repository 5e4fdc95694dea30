"""Whether data may be missing, and which processors differ: tables of cases."""

import pytest

from checkpoint.positions import ProcessorChanges, changed_processors, is_complete

DAY = 86_400.0
NOW = 1_800_000_000.0
LONG_AGO = NOW - 3 * DAY


@pytest.mark.parametrize(
    ("caught_up_at", "parents", "started_from", "first_start_at", "is_fresh", "complete"),
    [
        pytest.param(NOW - 60, [], None, LONG_AGO, False, True, id="caught up a minute ago"),
        pytest.param(
            NOW - DAY + 1, [], None, LONG_AGO, False, True, id="caught up just within the retention"
        ),
        pytest.param(NOW - DAY, [], None, LONG_AGO, False, False, id="caught up a whole retention ago"),
        pytest.param(NOW - 2 * DAY, [NOW - 60], None, LONG_AGO, False, False, id="its own time counts first"),
        pytest.param(
            None, [NOW - 60, NOW - 90], None, LONG_AGO, True, True, id="both parents were caught up"
        ),
        pytest.param(
            None, [NOW - 60, NOW - 2 * DAY], None, LONG_AGO, True, False, id="the earlier one counts"
        ),
        pytest.param(None, [NOW - 60, None], None, LONG_AGO, True, False, id="one parent never was"),
        pytest.param(None, [None], NOW - 60, NOW - 60, True, True, id="started from a minute ago"),
        pytest.param(None, [], NOW - 60, NOW - 60, True, True, id="fresh, started from a minute ago"),
        pytest.param(
            None, [], LONG_AGO, LONG_AGO, True, False, id="fresh, latest was resolved three days ago"
        ),
        pytest.param(None, [], NOW - 60, NOW - 60, False, True, id="begun, started from a minute ago"),
        pytest.param(None, [], None, NOW - 60, True, True, id="first start at the trim horizon"),
        pytest.param(None, [], None, LONG_AGO, True, True, id="nothing of the trim horizon's was ever read"),
        pytest.param(
            None, [], None, NOW - 60, False, False, id="a backlog may be older than the first start"
        ),
        pytest.param(None, [], NOW - 9 * DAY, NOW - 60, True, True, id="a time older than the stream"),
        pytest.param(None, [], NOW - 9 * DAY, NOW - 60, False, False, id="the same, begun"),
        pytest.param(
            None, [], NOW - DAY, NOW - 0.5 * DAY, True, False, id="a time that was held at first start"
        ),
    ],
)
def test_nothing_is_missing_only_if_all_that_is_unread_is_younger_than_the_retention(
    *,
    caught_up_at: float | None,
    parents: list[float | None],
    started_from: float | None,
    first_start_at: float,
    is_fresh: bool,
    complete: bool,
) -> None:
    assert (
        is_complete(
            now=NOW,
            retention_seconds=DAY,
            caught_up_at=caught_up_at,
            parents_caught_up_at=parents,
            started_from=started_from,
            first_start_at=first_start_at,
            is_fresh=is_fresh,
        )
        is complete
    )


@pytest.mark.parametrize(
    ("known", "settings", "changes"),
    [
        (None, {"a": "1"}, ProcessorChanges((), (), ())),
        ({"a": "1"}, {"a": "1"}, ProcessorChanges((), (), ())),
        ({"a": "1"}, {"a": "2"}, ProcessorChanges((), ("a",), ())),
        ({"a": "1"}, {"a": "1", "b": "1"}, ProcessorChanges(("b",), (), ())),
        ({"a": "1", "b": "1"}, {"b": "1"}, ProcessorChanges((), (), ("a",))),
        ({}, {"a": "1"}, ProcessorChanges(("a",), (), ())),
    ],
)
def test_new_changed_and_removed_processors_are_told_apart(
    known: dict[str, str] | None, settings: dict[str, str], changes: ProcessorChanges
) -> None:
    assert changed_processors(known, settings) == changes
