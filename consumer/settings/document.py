"""A YAML file as plain values, and where in the file each of them stands.

PyYAML reads YAML 1.1, in which `on:` is a boolean, `1:30` is ninety and a date is no text. Here only its
parser is used: plain scalars mean what YAML 1.2.2's core schema (section 10.3.2) says, and a date stays text.
"""

import re
from dataclasses import dataclass, field

from yaml.composer import Composer
from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
Path = tuple[str | int, ...]
"""The keys and list positions that lead to a value: `("processors", 0, "name")`."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?((\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)")

_HINTS = (
    ("'\\t'", "a tab can't indent YAML: use spaces"),
    ("'`'", "put a value that starts with ` in quotes"),
    ("'@'", "put a value that starts with @ in quotes"),
    ("'%'", "put a value that starts with % in quotes"),
    ("mapping values are not allowed", "put a value that holds `: ` in quotes, and look at the indentation"),
    ("expected <block end>", "look at the indentation of this line and the ones above"),
    ("but found another document", "one file holds one document: take out the `---`"),
)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing a person has to put right. Line and column count from 1."""

    line: int
    column: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says; `places` has the line and column of every key and list entry, `()` being the top."""

    value: Value
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)
    numbers: dict[Path, str] = field(default_factory=dict)
    """Every plain number as it is written, whatever its length."""
    problems: list[Problem] = field(default_factory=list)


def field_name(path: Path) -> str:
    """The path as people write it: `processors[0].name`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def read_document(text: str) -> Document:
    """Parse one YAML document; what is wrong with it is in `problems`, all of it that can be told at once."""
    document = Document(None, {(): (1, 1)})
    try:
        root = _Composer(text).get_single_node()
    except MarkedYAMLError as error:
        document.problems.append(_syntax_problem(error))
        return document
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        document.problems.append(
            Problem(line, 1, "", f"a character that YAML does not allow: {error.character!r}")
        )
        return document
    except RecursionError:
        document.problems.append(Problem(1, 1, "", "nested too deeply to be settings"))
        return document
    if root is None:
        return document
    value = _Values(document).of(root, ())
    return Document(value, document.places, document.numbers, document.problems)


def _syntax_problem(error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = str(error.problem or error.context)
    hint = next((words for sign, words in _HINTS if sign in said), None)
    return Problem(line, column, "", f"not YAML: {said}" + (f"; {hint}" if hint else ""))


class _Composer(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML without its constructors and its YAML 1.1 resolver: text -> nodes."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)


class _Values:
    """Turns nodes into values, noting places and problems in the document."""

    def __init__(self, document: Document) -> None:
        self._places = document.places
        self._numbers = document.numbers
        self._problems = document.problems
        self._open: set[int] = set()

    def of(self, node: Node, path: Path) -> Value:
        if id(node) in self._open:
            self._note(node, path, "an alias that holds itself")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                return [self._entry(entry, (*path, index)) for index, entry in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self._open.discard(id(node))

    def _entry(self, node: Node, path: Path) -> Value:
        self._places[path] = _place(node)
        return self.of(node, path)

    def _mapping(self, node: MappingNode, path: Path) -> Value:
        values: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._note(key_node, path, "a key must be plain text")
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in values:
                first = self._places[here][0]
                self._note(key_node, here, f"`{key}` is given twice: here and in line {first}")
                continue
            self._places[here] = _place(key_node)
            values[key] = self.of(value_node, here)
        return values

    def _scalar(self, node: Node, path: Path) -> Value:
        text = str(node.value)
        if not node.tag.startswith("tag:yaml.org,2002:"):
            self._note(node, path, f"the tag {node.tag} means nothing here: put the value in quotes")
            return text
        if not isinstance(node, ScalarNode) or node.style is not None:
            return text
        if _NUMBER.fullmatch(text):
            self._numbers[path] = text
        return _core(text)

    def _note(self, node: Node, path: Path, message: str) -> None:
        self._problems.append(Problem(*_place(node), field_name(path), message))


def _core(text: str) -> Value:
    """A plain scalar by YAML 1.2's core schema; its octal, hexadecimal and not-a-number forms stay text."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
