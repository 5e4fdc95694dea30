"""Which application a rebuild is, what it builds, and how far it says it is."""

from typing import Any

import pytest

from consumer.commands.rebuild.plan import plan_rebuild
from consumer.commands.rebuild.progress import Progress, span
from consumer.errors import SettingsError
from consumer.processors.base import fingerprint
from consumer.settings.model import Settings
from consumer.settings.moved import target_name

STORES: dict[str, dict[str, Any]] = {
    "dynamodb": {"table": "orders", "ledger": "orders-items"},
    "postgresql": {"table": "shop.orders"},
    "opensearch": {"url": "http://there", "index": "orders"},
}


def settings(store: str = "dynamodb", **changes: object) -> Settings:
    def projection(name: str) -> dict[str, object]:
        return {"name": name, "projection": {"store": {store: STORES[store]}, "key": {"id": "keys.id"}}}

    return Settings.model_validate(
        {
            "application": "shop",
            "source": {"kinesis": {"stream": "changes", "table": "orders-table", "start": "latest"}},
            "processors": [projection("view"), projection("other")],
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("store", "generation", "into", "application"),
    [
        ("dynamodb", 0, "orders-rebuild", "shop-orders-rebuild"),
        ("dynamodb", 1, "orders-rebuild-2", "shop-orders-rebuild-2-1"),
        ("opensearch", 0, "orders-rebuild", "shop-orders-rebuild"),
        ("opensearch", 2, "orders-rebuild-3", "shop-orders-rebuild-3-2"),
        ("postgresql", 0, "shop.orders_rebuild", "shop-shop.orders_rebuild"),
        ("postgresql", 1, "shop.orders_rebuild", "shop-shop.orders_rebuild-1"),
    ],
)
def test_each_rebuild_is_an_application_of_its_own_and_has_a_target_of_its_own(
    store: str, generation: int, into: str, application: str
) -> None:
    plan = plan_rebuild(settings(store), "view", None, generation)

    assert (plan.into, plan.application) == (into, application)
    assert target_name(plan.rebuilt) == into


def test_it_has_the_one_processor_and_begins_at_the_trim_horizon() -> None:
    plan = plan_rebuild(settings(), "view", "elsewhere", 0)

    assert [processor.name for processor in plan.settings.processors] == ["view"]
    assert plan.settings.source.kinesis.start == "trim_horizon"
    assert plan.live.source.kinesis.start == "latest"


def test_it_never_goes_on_without_what_was_trimmed_under_it() -> None:
    plan = plan_rebuild(settings(on_trimmed="continue"), "view", None, 0)

    assert (plan.settings.on_trimmed, plan.live.on_trimmed) == ("park", "continue")


def test_its_ledger_is_its_own_too() -> None:
    plan = plan_rebuild(settings(), "view", "elsewhere", 0)

    assert (plan.processor.ledger_name, plan.rebuilt.ledger_name) == ("orders-items", "elsewhere-ledger")


def test_settings_that_decide_what_the_model_holds_make_another_rebuild() -> None:
    plain = plan_rebuild(settings(), "view", None, 0).rebuilt
    changed = settings().processors[0].model_dump(exclude_unset=True)
    changed["projection"]["when"] = "new.total > `1`"
    other = plan_rebuild(settings(processors=[changed]), "view", None, 0).rebuilt

    assert fingerprint(plain) != fingerprint(other)


@pytest.mark.parametrize(
    ("store", "outcome"),
    [
        ("dynamodb", "writes to table orders-rebuild"),
        ("postgresql", "writes to the new table shop.orders, which was shop.orders_rebuild"),
        ("opensearch", "writes to index orders-rebuild, to which alias orders leads"),
    ],
)
def test_what_a_cut_over_comes_to_is_told_by_what_is_moved(store: str, outcome: str) -> None:
    assert plan_rebuild(settings(store), "view", None, 0).outcome == outcome


@pytest.mark.parametrize(
    ("name", "into", "message"),
    [
        ("nobody", None, "there are view, other"),
        ("view", "orders", "that is where view writes by its settings"),
        ("view", "no blanks", "3 to 255 letters"),
        ("view", "x" * 240, "the rebuild's application"),
    ],
)
def test_what_can_not_be_built_is_refused_in_words(name: str, into: str | None, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        plan_rebuild(settings(), name, into, 0)


def test_nothing_is_known_before_a_shard_tells_its_lag() -> None:
    progress = Progress()
    progress.note(0.0, None, 0)

    assert progress.line() == "waits for a shard"
    assert progress.share == 0.0


def test_what_is_left_is_told_from_the_speed_of_late() -> None:
    progress = Progress()
    progress.note(0.0, 7_200.0, 0)
    progress.note(10.0, 3_600.0, 5_000)

    assert progress.line() == "1 h of 2 h, 5,000 records, 500/s, 10 s left"
    assert progress.share == 0.5


def test_a_stream_that_grows_faster_than_it_is_read_has_no_end_to_tell() -> None:
    progress = Progress()
    progress.note(0.0, 3_600.0, 0)
    progress.note(10.0, 3_700.0, 100)

    assert progress.line() == "0 s of 1 h 1 m, 100 records, 10/s, time left not known"


def test_at_the_stream_s_end_it_has_caught_up() -> None:
    progress = Progress()
    progress.note(0.0, 3_600.0, 0)
    progress.note(10.0, 1.0, 100)

    assert progress.is_caught_up
    assert progress.line() == "has caught up, 100 records, 10/s"
    assert progress.share == 1.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (61, "1 m 1 s"), (3_600, "1 h"), (100_000, "1 d 3 h")]
)
def test_a_span_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text
