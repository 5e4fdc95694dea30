"""Memory and CPU of a shard process that can't get on, while its daemon has a backlog of a million records.

Three side by side, each with a daemon of its own: one whose DynamoDB never answers, one whose DynamoDB
answers every call with a 500, and one that has nothing to do.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import repeat

from benchmarks.records import envelopes, messages
from benchmarks.scripted_daemon import ChildEndedError, ScriptedDaemon, open_child
from benchmarks.slow_endpoint import open_slow_endpoint
from benchmarks.stage import open_stage

_BACKLOG = 1_000_000
_SHARD_MODULE = "consumer.shard"
_FILLING_SECONDS = 5.0
"""Until the window is full, and the first calls have failed."""
_WATCHED_SECONDS = 20.0
_BETWEEN_LOOKS_SECONDS = 0.1
_IDLE_SECONDS = 0.5
"""KCL hands over an empty message about so often."""
_EMPTY_MESSAGE = b'{"action":"processRecords","records":[],"millisBehindLatest":0}\n'


def measure() -> dict[str, float]:
    """The most memory seen, and the share of one CPU once the answer is held.

    Raises:
        RuntimeError: a stuck shard process took no records, or went on taking them.
    """
    with ExitStack() as stack:
        peers = {
            "silent": stack.enter_context(_stuck("hangs")),
            "failing": stack.enter_context(_stuck("fails")),
            "idle": stack.enter_context(_idle()),
        }
        peaks = dict.fromkeys(peers, 0.0)
        _look(peers, peaks, _FILLING_SECONDS)
        before = {name: peer.cpu_seconds for name, peer in peers.items()}
        answered = {name: peer.answered for name, peer in peers.items()}
        _look(peers, peaks, _WATCHED_SECONDS)
        shares = {
            name: (peer.cpu_seconds - before[name]) / _WATCHED_SECONDS * 100 for name, peer in peers.items()
        }
        for name in ("silent", "failing"):
            if not 1 < answered[name] == peers[name].answered:
                raise RuntimeError(f"the {name} sink's shard process does not hold its answer")
    return {f"{name}_peak_megabytes": peak for name, peak in peaks.items()} | {
        f"{name}_cpu_percent": share for name, share in shares.items()
    }


def _look(peers: dict[str, ScriptedDaemon], peaks: dict[str, float], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for name, peer in peers.items():
            peaks[name] = max(peaks[name], peer.megabytes)
        time.sleep(_BETWEEN_LOOKS_SECONDS)


@contextmanager
def _stuck(behaviour: str) -> Iterator[ScriptedDaemon]:
    backlog = messages(envelopes(_BACKLOG), arrived_at_ms=int(time.time() * 1000))
    with open_slow_endpoint(behaviour) as endpoint, _fed(endpoint.url, backlog) as daemon:
        yield daemon


@contextmanager
def _idle() -> Iterator[ScriptedDaemon]:
    with open_slow_endpoint() as endpoint, _fed(endpoint.url, _now_and_then()) as daemon:
        yield daemon


def _now_and_then() -> Iterator[bytes]:
    for line in repeat(_EMPTY_MESSAGE):
        time.sleep(_IDLE_SECONDS)
        yield line


@contextmanager
def _fed(target_url: str, lines: Iterator[bytes]) -> Iterator[ScriptedDaemon]:
    """A shard process that is offered the lines for as long as it takes them."""
    with (
        open_stage("bench-stuck", target_url=target_url) as stage,
        open_child(_SHARD_MODULE, stage) as daemon,
    ):
        threading.Thread(target=_offer, args=(daemon, lines), daemon=True).start()
        yield daemon


def _offer(daemon: ScriptedDaemon, lines: Iterator[bytes]) -> None:
    try:
        for line in lines:
            daemon.say_line(line)
    except (ChildEndedError, OSError, ValueError):
        return  # the measurement is over: the pipe is closed
