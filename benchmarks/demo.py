"""Cold start, and the time from a change's arrival in the stream until it is settled, by the demo."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

_SECONDS = 30
_RATE = 200


def measure() -> dict[str, float]:
    """The demo's own report; the read model must equal the table."""
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as directory:
        report = Path(directory, "report.json")
        arguments = ["--duration", str(_SECONDS), "--rate", str(_RATE), "--report", str(report)]
        subprocess.run(
            [sys.executable, "-m", "consumer.cli", "demo", *arguments], check=True, capture_output=True
        )
        figures = json.loads(report.read_text(encoding="utf-8"))
    names = (
        "first_settled_seconds",
        "arrival_to_settled_p50_seconds",
        "arrival_to_settled_p99_seconds",
        "written",
        "settled",
        "rows_expected",
        "rows_matching",
    )
    return {name: float(figures[name]) for name in names}
