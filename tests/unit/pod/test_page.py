from consumer.pod.page import render
from consumer.pod.report import PodReport, totals
from consumer.pod.supervisor import DaemonStatus
from consumer.status import ShardStatus
from tests.unit.pod.conftest import NOW, make_shard


def make_report(*shards: ShardStatus, problems: tuple[str, ...] = ()) -> PodReport:
    return PodReport(
        application="shop-orders",
        worker="pod-0",
        version="1.2.3",
        now=NOW,
        started_at=NOW - 60,
        ready=True,
        waiting_for=None,
        daemon=DaemonStatus("running", pid=1),
        shards=shards,
        totals=totals(shards),
        lag_seconds=None,
        problems=problems,
    )


def test_each_shard_is_a_row_with_its_figures() -> None:
    page = render(make_report(make_shard("shard-a", records_received=12_345, lag_seconds=None)))

    assert "<td>shard-a</td><td>running</td>" in page
    assert "12,345" in page
    assert "not known" in page


def test_text_from_elsewhere_can_not_become_markup() -> None:
    page = render(make_report(problems=("store said <script>alert(1)</script>",)))

    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_stand_by_says_that_it_has_no_lease() -> None:
    assert "No shard lease yet" in render(make_report())


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = render(make_report(make_shard()))

    assert "http://" not in page
    assert "https://" not in page
    assert "src=" not in page
