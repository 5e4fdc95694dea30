from pathlib import Path

import pytest

from tests.support.pages import PAGES, ROOT, anchors, links

DECISIONS = ROOT / "docs" / "decisions"


def is_broken(page: Path, link: str) -> bool:
    if "://" in link:
        return False
    target, _, anchor = link.partition("#")
    file = (page.parent / target).resolve() if target else page
    return not file.exists() or bool(anchor and anchor not in anchors(file))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_inside_the_project_leads_somewhere(page: Path) -> None:
    assert [link for link in links(page) if is_broken(page, link)] == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        targets = [
            (page.parent / link.partition("#")[0]).resolve() for link in links(page) if "://" not in link
        ]
        ahead += [target for target in targets if target.suffix == ".md" and target not in reached]

    assert set(PAGES) <= reached


def test_every_decision_is_in_their_index_by_its_number() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")

    for page in sorted(DECISIONS.glob("0*.md")):
        number = page.name.partition("-")[0]
        assert f"| [{number}]({page.name}) | " in index
        assert page.read_text(encoding="utf-8").startswith(f"# {number}: ")
