"""What shards wait for, in sentences: one for each store and reason, whoever waits for it. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence

from consumer.status import ProcessorStatus, ShardStatus

_MOST_NAMED = 3
_CODE = re.compile(r"([\w.]+): ")
"""What an error of a store's own begins with; a run of rejected records is one table's affair."""

_Wait = tuple[ShardStatus, ProcessorStatus, float]


def troubles(shards: Sequence[ShardStatus], now: float, stores: Mapping[str, str]) -> Iterator[str]:
    """What is not well with these shards.

    Args:
        shards: those with a process that lives.
        now: Unix seconds.
        stores: by processor name, what tells its store from others.
    """
    yield from _waits(shards, now, stores)
    told: dict[str, list[str]] = {}
    for shard in shards:
        sentence = _other(shard)
        if sentence is not None:
            told.setdefault(sentence, []).append(shard.shard_id)
    for sentence, names in told.items():
        yield f"{_listed(names, 'shards')}: {sentence}"


def _waits(shards: Sequence[ShardStatus], now: float, stores: Mapping[str, str]) -> Iterator[str]:
    found: dict[tuple[str, str], list[_Wait]] = {}
    for shard in shards:
        for processor in shard.processors:
            if processor.unavailable_since is not None:
                key = _reason(processor, stores)
                found.setdefault(key, []).append((shard, processor, processor.unavailable_since))
    for waits in found.values():
        yield _wait(waits, now)


def _reason(processor: ProcessorStatus, stores: Mapping[str, str]) -> tuple[str, str]:
    code = _CODE.match(processor.last_error or "")
    if code is None or processor.name not in stores:
        return f"processor {processor.name}", ""
    return stores[processor.name], code[1]


def _wait(waits: Sequence[_Wait], now: float) -> str:
    _, longest, since = min(waits, key=lambda wait: wait[2])
    names = list(dict.fromkeys(processor.name for _, processor, _ in waits))
    shards = list(dict.fromkeys(shard.shard_id for shard, _, _ in waits))
    error = longest.last_error or "no error given"
    what = (
        f"has waited {now - since:.0f} s for its store ({error}); it goes on by itself"
        if len(names) == 1
        else f"have waited {now - since:.0f} s for their store ({error}); they go on by themselves"
    )
    return f"{_listed(shards, 'shards')}: {_listed(names, 'processors')} {what} once the store answers"


def _other(shard: ShardStatus) -> str | None:
    if any(processor.unavailable_since is not None for processor in shard.processors):
        return None
    if shard.message is not None:
        return shard.message
    return {
        "parked": "parked: the stream no longer holds the records after its checkpoint; see on_trimmed",
        "waiting": "its window is full: it takes no more records until some are settled",
    }.get(shard.state)


def _listed(names: Sequence[str], what: str) -> str:
    """`a`, `a and b`, `a, b and 10 more shards`."""
    shown = list(names) if len(names) <= _MOST_NAMED else list(names[: _MOST_NAMED - 1])
    rest = len(names) - len(shown)
    last = f"{rest} more {what}" if rest else shown.pop()
    return f"{', '.join(shown)} and {last}" if shown else last
