"""docs/operate.md is held to the code: metrics, states, error codes and log events."""

import re
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumer.aws.services import service_named
from consumer.metrics import Metrics, PodMetrics
from consumer.status import ShardState
from consumer.stores.opensearch.answers import REJECTED as OF_OPENSEARCH
from tests.support.pages import ROOT, code, rows

PAGE = ROOT / "docs" / "operate.md"
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "consumer").rglob("*.py"))
REJECTED = re.compile(r"(?:Rejected|Undecodable)\((?:[^()]|\([^()]*\))*?code=\"(\w+)\"")


def metrics_there_are() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Each metric as it is exposed: its type and its labels."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for metric in vars(Metrics(CollectorRegistry())).values():
        assert isinstance(metric, (Counter, Gauge, Histogram))
        (family,) = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = (family.type, tuple(metric._labelnames))  # noqa: SLF001 - the library tells no other way
    for family in PodMetrics(0, 0, "1").collect():
        for sample in family.samples:
            found.setdefault(sample.name, (family.type, tuple(sample.labels)))
    return found


def test_every_metric_is_told_with_its_type_and_labels() -> None:
    told = {code(row[0])[0]: (row[1], tuple(code(row[2]))) for row in rows(PAGE, "Metrics") if len(row) == 4}

    assert told == metrics_there_are()


def test_every_alarm_is_on_a_metric_that_there_is() -> None:
    named = {name for row in rows(PAGE, "What to alarm on") for name in re.findall(r"tidemark_\w+", row[0])}

    assert named
    assert named <= set(metrics_there_are())


def test_every_state_of_a_shard_is_told() -> None:
    told = [code(row[0])[0] for row in rows(PAGE, "What a shard's state means")]

    assert told == list(get_args(ShardState))


def test_every_reason_for_a_dead_letter_is_told() -> None:
    told = {name for row in rows(PAGE, "Dead letters") for name in code(row[0])}

    assert told == set(REJECTED.findall(SOURCES)) | service_named("dynamodb").rejected | OF_OPENSEARCH


def test_every_log_event_that_is_told_is_one_that_is_logged() -> None:
    told = [event for row in rows(PAGE, "Logs") for event in code(row[0])]

    assert [event for event in told if f'"{event}"' not in SOURCES] == []
