"""The documentation is short, complete and has no broken links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nnrun.cli.app import VERBS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
CODE_PATH = re.compile(r"`((?:nnrun|tests|tools|docs|configs)/[\w./-]*)`")


def test_readme_takes_one_sitting() -> None:
    assert (ROOT / "README.md").stat().st_size <= 10_240


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    """Web links and anchors are left out; mkdocs checks anchors within docs/."""
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_guides_for_contributors_name_files_that_exist(name: str) -> None:
    paths = CODE_PATH.findall((ROOT / name).read_text(encoding="utf-8"))

    assert paths
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_is_documented(verb: str) -> None:
    assert f"\n## {verb}\n" in (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")

    assert [p.name for p in (ROOT / "docs").glob("*.md") if f" {p.name}\n" not in navigation] == []
