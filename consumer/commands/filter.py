"""`tidemark filter`: which of these events does a pattern match?

For people to try a pattern, so it starts at once: nothing of the settings' models is imported here, and the
YAML reader only for a YAML file.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from consumer.errors import SettingsError, TidemarkError
from consumer.filters import mistakes
from consumer.filters.json_text import parse
from consumer.filters.mistakes import InvalidPatternError, Json, Mistake
from consumer.filters.pattern import Filter, Pattern, decode_event
from consumer.settings.files import read_text

_YAML = frozenset({".yaml", ".yml"})


class _Content(NamedTuple):
    """A pattern file's values; `places` has the line and column of each, where the reader tells them."""

    value: Json
    places: Mapping[mistakes.Path, tuple[int, int]]


def load_filter(file: Path) -> Filter:
    """The pattern in a file, or its list of patterns, any of which may match.

    Raises:
        SettingsError: the file can't be read, or AWS would refuse a pattern in it; all mistakes are told.
    """
    content = _from_yaml(file) if file.suffix in _YAML else _from_json(file)
    value = content.value
    numbered = (
        [((index,), entry) for index, entry in enumerate(value)] if isinstance(value, list) else [((), value)]
    )
    if not numbered:
        raise SettingsError(f"{file}: an empty list; at least one pattern is needed")
    patterns: list[Pattern] = []
    refusals: list[str] = []
    for path, entry in numbered:
        try:
            patterns.append(Pattern(cast("dict[str, Json]", entry)))
        except InvalidPatternError as error:
            refusals += [
                _told(file, content, Mistake((*path, *mistake.path), mistake.message))
                for mistake in error.mistakes
            ]
    if refusals:
        raise SettingsError("\n".join(refusals))
    return Filter(patterns)


def filter_events(
    chosen: Filter, lines: Iterable[bytes], out: BinaryIO, complain: Callable[[str], None]
) -> bool:
    """Write the lines that match, byte for byte and each at once; whether all lines were events.

    A line that is no JSON object is told by its number and passed over; an empty one is just passed over.

    Raises:
        TidemarkError: a line that matches can't be written.
    """
    are_events = True
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            is_chosen = chosen.matches(decode_event(line))
        except ValueError as error:
            complain(f"line {number} is no event: {error}")
            are_events = False
            continue
        if is_chosen:
            _write(line, out)
    return are_events


def _write(line: bytes, out: BinaryIO) -> None:
    try:
        out.write(line)
        out.flush()
    except BrokenPipeError:
        raise  # whoever read has seen enough, as `head` has: the command line ends quietly
    except OSError as error:
        raise TidemarkError(f"standard output can't be written: {error.strerror}") from None


def _from_json(file: Path) -> _Content:
    try:
        return _Content(parse(read_text(file)), {})
    except InvalidPatternError as error:
        raise SettingsError(f"{file}: {error}") from None


def _from_yaml(file: Path) -> _Content:
    # Imported here: JSON, the usual form, need not wait for PyYAML.
    from consumer.settings.document import read_document  # noqa: PLC0415
    from consumer.settings.exact import with_exact_numbers  # noqa: PLC0415

    document = read_document(read_text(file))
    if document.problems:
        told = (
            f"{file}:{problem.line}:{problem.column}: "
            + (f"{problem.field}: " if problem.field else "")
            + problem.message
            for problem in document.problems
        )
        raise SettingsError("\n".join(told))
    return _Content(with_exact_numbers(document, lambda _: True), document.places)


def _told(file: Path, content: _Content, mistake: Mistake) -> str:
    line_and_column = content.places.get(mistake.path)
    place = "" if line_and_column is None else ":{}:{}".format(*line_and_column)
    return f"{file}{place}: {mistake}"
