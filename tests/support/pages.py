"""The documentation as tests read it: fenced blocks, tables, headings and links of its Markdown pages."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(?P<level>#+) (?P<title>.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `line` is its first line in the page."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it stands, for a failing test's name."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, *languages: str, under: str | None = None) -> list[Block]:
    """The page's fenced blocks of these languages (all, if none is named), under a heading if one is."""
    text = page.read_text(encoding="utf-8")
    first, last = (0, len(text)) if under is None else _section(text, under)
    return [
        Block(page, text.count("\n", 0, match.start("text")) + 1, match["language"], match["text"])
        for match in _FENCE.finditer(text, first, last)
        if not languages or match["language"] in languages
    ]


def all_blocks(*languages: str) -> list[Block]:
    """Those of every page."""
    return [block for page in PAGES for block in blocks(page, *languages)]


def rows(page: Path, under: str) -> list[list[str]]:
    """The rows of all tables below a heading, down to the next of its level; without their heads."""
    text = page.read_text(encoding="utf-8")
    lines = text[slice(*_section(text, under))].splitlines()
    tables = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    heads = [at for at, cells in enumerate(tables) if set("".join(cells)) <= set("- ")]
    return [cells for at, cells in enumerate(tables) if at not in heads and at + 1 not in heads]


def code(cell: str) -> list[str]:
    """What stands between backticks."""
    return _CODE.findall(cell)


def links(page: Path) -> Iterator[str]:
    """The page's link targets outside of fenced blocks."""
    for match in _LINK.finditer(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        yield match["target"]


def anchors(page: Path) -> set[str]:
    """The names that headings get on GitHub: lower case, words joined by dashes, punctuation left out."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = (match["title"].lower() for match in _HEADING.finditer(text))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def _section(text: str, title: str) -> tuple[int, int]:
    headings = list(_HEADING.finditer(text))
    at = next(index for index, match in enumerate(headings) if match["title"] == title)
    level = len(headings[at]["level"])
    end = next((other.start() for other in headings[at + 1 :] if len(other["level"]) <= level), len(text))
    return headings[at].end(), end
