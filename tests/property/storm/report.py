"""What a person needs of a history that broke the promise."""

import re

from tests.property.storm.climate import draw
from tests.property.storm.history import History
from tests.property.storm.outfit import Outfit
from tests.property.storm.shrinking import shrink
from tests.property.storm.voyage import carry_out
from tests.property.storm.world import Note

_LINES = 120


def failure_of(seed: int, outfit: Outfit) -> str | None:
    """None where the promise held; else what broke it, how to see it again, and its smallest history."""
    history = draw(seed)
    sentence, _ = carry_out(history, outfit)
    if sentence is None:
        return None

    def fails_so(candidate: History) -> bool:
        return _shape(carry_out(candidate, outfit)[0]) == _shape(sentence)

    smallest = shrink(history, fails_so)
    smallest_sentence, trace = carry_out(smallest, outfit)
    lines = [
        f"history {seed}: {sentence}",
        f"again: make storm HISTORIES=1 SEED={seed}",
        f"its smallest form: {smallest_sentence}",
        *_describe(smallest),
        *map(_line, trace[-_LINES:]),
    ]
    return "\n".join(lines)


def _shape(sentence: str | None) -> str | None:
    """What a sentence says, whatever the numbers."""
    return sentence and re.sub(r"[\d.]+|\[.*?\]|{.*?}|None", "#", sentence)


def _describe(history: History) -> list[str]:
    olds = history.old_values()
    lines = [
        f"  when {history.when}; calm at {history.calm_at:.1f}",
        f"  window {history.window_records}, messages of {history.message_records}",
        f"  a checkpoint every {history.checkpoint_interval} s",
    ]
    lines += [f"  {course}" for course in history.courses]
    lines += [f"  {entry}" for entry in (*history.faults, *history.endings)]
    for number, arrival in enumerate(history.arrivals, 1):
        write, old = history.writes[arrival.write], olds[arrival.write]
        lines.append(
            f"  record {number} at {arrival.at:.6f}: {arrival.kind}; item {write.item}, "
            f"{old} to {write.value} at {write.micros} us, told in {write.granularity.name.lower()}s"
        )
    return lines


def _line(note: Note) -> str:
    return f"  {note.at:10.4f}  {note.who:22} {note.what} {' '.join(map(str, note.details))}"
