"""The status page: /status for people, in one page that needs nothing from elsewhere. Pure."""

from collections.abc import Iterable
from html import escape

from consumer.pod.report import PodReport
from consumer.status import ShardStatus

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}
body {{ margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8885; }}
th, td {{ white-space: nowrap; }}
th.number, td.number {{ text-align: right; }}
.scroll {{ overflow-x: auto; }}
.problems {{ border-left: 4px solid #c60; padding: .3rem 1rem; }}
.muted {{ opacity: .7; }}
</style>
</head>
<body>
<h1>{application}</h1>
<p>Worker <b>{worker}</b> is <b>{readiness}</b>; the KCL daemon is <b>{daemon}</b>{restarts}.</p>
{problems}
<div class="scroll"><table>
<tr><th>Shard</th><th>State</th><th class="number">Lag</th><th class="number">Received</th>
<th class="number">Settled</th><th class="number">In flight</th><th class="number">Checkpoint age</th></tr>
{shards}
</table></div>
<p class="muted">Tidemark {version}. <a href="status">JSON</a>, <a href="metrics">metrics</a></p>
</body>
</html>
"""


def render(report: PodReport) -> str:
    """The whole page as HTML; it loads itself again every two seconds."""
    restarts = f", restarted {report.daemon.restarts} times" if report.daemon.restarts else ""
    return _PAGE.format(
        title=escape(f"{report.application}: Tidemark"),
        application=escape(report.application),
        worker=escape(report.worker),
        readiness="ready" if report.ready else "not ready",
        daemon=escape(report.daemon.state),
        restarts=restarts,
        problems=_problems(report.problems),
        shards="\n".join(_row(shard, report.now) for shard in report.shards)
        or '<tr><td colspan="7" class="muted">No shard lease yet.</td></tr>',
        version=escape(report.version),
    )


def _problems(problems: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    return f'<ul class="problems">{items}</ul>' if items else ""


def _row(shard: ShardStatus, now: float) -> str:
    settled = sum(processor.settled for processor in shard.processors)
    numbers = (
        _seconds(shard.lag_seconds),
        f"{shard.records_received:,}",
        f"{settled:,}",
        f"{shard.records_in_flight:,}",
        _seconds(None if shard.checkpointed_at is None else now - shard.checkpointed_at),
    )
    cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
    return f"<tr><td>{escape(shard.shard_id)}</td><td>{escape(shard.state)}</td>{cells}</tr>"


def _seconds(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.1f} s"
