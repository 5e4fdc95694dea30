"""tidemark.yaml -> Settings, with every mistake told at once: file, line, field, and what is allowed.

tidemark.yaml:4:5: source.kinesis.tabel: no such setting; did you mean `table`?
tidemark.yaml:9:3: delivery.batch_size: `0` is not allowed: write a whole number from 1 to 10000
"""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path as FilePath

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from consumer.errors import SettingsError
from consumer.settings.addresses import address_mistakes
from consumer.settings.ages import age_mistakes
from consumer.settings.allowed import Allowed
from consumer.settings.columns import column_mistakes
from consumer.settings.document import Document, Path, Problem, field_name, read_document
from consumer.settings.exact import with_exact_numbers
from consumer.settings.expressions import expression_mistakes
from consumer.settings.files import read_text
from consumer.settings.filters import filter_mistakes
from consumer.settings.homes import home_mistakes
from consumer.settings.located import Located
from consumer.settings.model import Settings

_MISTAKES = (
    expression_mistakes,
    filter_mistakes,
    age_mistakes,
    address_mistakes,
    column_mistakes,
    home_mistakes,
)
"""What pydantic doesn't find: each gives paths and messages."""


class InvalidSettingsError(SettingsError):
    """The file can't be used; its text has one line for each problem.

    Attributes:
        problems: what is wrong, by line.
    """

    def __init__(self, file: FilePath, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        lines = [
            f"{file}:{problem.line}:{problem.column}: "
            + (f"{problem.field}: " if problem.field else "")
            + problem.message
            for problem in self.problems
        ]
        super().__init__("\n".join(lines))


def load_settings(file: FilePath) -> Settings:
    """Read and check a settings file.

    Raises:
        SettingsError: the file can't be read, or (InvalidSettingsError) what it says is not allowed.
    """
    return locate_settings(file).settings


def locate_settings(file: FilePath) -> Located:
    """As load_settings, for whoever looks further: what is found wrong then can be told by its place too."""
    document = read_document(read_text(file))
    if document.problems and document.value is None:
        raise InvalidSettingsError(file, document.problems)
    if document.value is None:
        raise SettingsError(f"{file} is empty: it needs at least `application`, `source` and `processors`")
    if not isinstance(document.value, dict):
        raise SettingsError(
            f"{file} holds no settings: its top level must be a mapping such as `application: shop`"
        )
    try:
        settings = Settings.model_validate(with_exact_numbers(document))
    except ValidationError as error:
        raise InvalidSettingsError(file, [*document.problems, *_problems(document, error)]) from None
    mistakes = [
        Problem(*_place(document, path), field_name(path), message)
        for path, message in chain.from_iterable(mistakes(settings) for mistakes in _MISTAKES)
    ]
    if document.problems or mistakes:
        raise InvalidSettingsError(file, [*document.problems, *mistakes])
    return Located(file, settings, document.places)


def _problems(document: Document, error: ValidationError) -> list[Problem]:
    """Pydantic's errors in a person's words: one for each place in the file."""
    allowed = Allowed()
    found: dict[Path, Problem] = {}
    errors = error.errors(include_url=False)
    misspelt = {
        (
            *_path(document, detail)[:-1],
            allowed.close_to(_path(document, detail)[:-1], str(detail["loc"][-1])),
        )
        for detail in errors
        if detail["type"] == "extra_forbidden"
    }
    for detail in errors:
        path = _path(document, detail)
        if path in misspelt or _is_an_echo(detail):
            continue
        found.setdefault(path, _problem(document, detail, path, allowed))
    return list(found.values())


def _place(document: Document, path: Path) -> tuple[int, int]:
    """Line and column; those of what holds it, where the path leads on into a pattern's JSON text."""
    known = next(path[:end] for end in range(len(path), -1, -1) if path[:end] in document.places)
    return document.places[known]


def _path(document: Document, detail: ErrorDetails) -> Path:
    """Where in the file: pydantic's location without the union members and types that it mixes in."""
    path: Path = ()
    for part in detail["loc"]:
        if (*path, part) in document.places:
            path = (*path, part)
    return (*path, detail["loc"][-1]) if detail["type"] == "missing" else path


def _is_an_echo(detail: ErrorDetails) -> bool:
    """Pydantic counts only the good entries of a list; that there are too few then says nothing new."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _problem(document: Document, detail: ErrorDetails, path: Path, allowed: Allowed) -> Problem:
    if detail["type"] == "missing":
        message = f"`{path[-1]}` is missing: it takes {allowed.at(path)}"
        return Problem(*document.places[path[:-1]], field_name(path[:-1]), message)
    return Problem(*document.places[path], field_name(path), _message(detail, path, allowed))


def _message(detail: ErrorDetails, path: Path, allowed: Allowed) -> str:
    if detail["type"] == "extra_forbidden":
        return _no_such_setting(path, allowed)
    if detail["type"] == "value_error" and "ctx" in detail:
        return str(detail["ctx"]["error"])
    if detail["type"] == "too_short":
        return "is empty: at least one entry is needed"
    if detail["type"] == "too_long" and "ctx" in detail:
        return f"has {len(detail['input'])} entries; at most {detail['ctx']['max_length']} are allowed"
    if detail["input"] is None:
        return f"is empty: {allowed.at(path)} is expected"
    return f"{_shown(detail['input'])} is not allowed: write {allowed.at(path)}{_quoting(detail)}"


def _no_such_setting(path: Path, allowed: Allowed) -> str:
    meant = allowed.close_to(path[:-1], str(path[-1]))
    if meant:
        return f"no such setting; did you mean `{meant}`?"
    return "no such setting; allowed here: " + ", ".join(f"`{key}`" for key in allowed.keys(path[:-1]))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"`{value}`" if not isinstance(value, bool) else f"`{str(value).lower()}`"


def _quoting(detail: ErrorDetails) -> str:
    """YAML makes a number of `123`; where text is wanted, quotes are the remedy."""
    is_number = isinstance(detail["input"], int | float)
    return (
        " (in quotes, so that YAML takes it as text)" if is_number and detail["type"] == "string_type" else ""
    )
