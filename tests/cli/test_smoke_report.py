"""The closing table of a smoke run, for people and for GitHub's page."""

from __future__ import annotations

import io

import pytest

from nnrun.cli import console, smoke
from nnrun.cli.smoke import SmokeResult

TRIALS = [
    SmokeResult("a.yaml", "a", smoke.PASSED, "synthetic", 1.5, skipped=("expect",)),
    SmokeResult("b|c.yaml", "b", smoke.FAILED, "real", 0.25, ("out of [memory]",)),
    SmokeResult("d.yaml", "", smoke.REFUSED, errors=("d.yaml:1:1: NN101 x", "d.yaml:2:1: NN102 y")),
    SmokeResult("e.yaml", "e"),
]


def test_a_row_per_spec_then_the_reasons_then_a_sentence() -> None:
    out = io.StringIO()
    smoke.show(TRIALS, console.stderr(out), seconds=3.04)
    lines = out.getvalue().splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]

    assert rows == [
        ["a.yaml", "synthetic rows", "1.50", "passed, expect skipped"],
        ["b|c.yaml", "real rows", "0.25", "failed"],
        ["d.yaml", "", "", "refused"],
        ["e.yaml", "", "", "not tried"],
    ]
    assert lines[-4:] == [
        "b|c.yaml: out of [memory]",
        "d.yaml:1:1: NN101 x",
        "d.yaml:2:1: NN102 y",
        "1 of 4 passed in 3.0 s",
    ]


def test_markdown_is_a_table_that_neither_bar_nor_bracket_breaks() -> None:
    assert smoke.markdown(TRIALS, seconds=3.04) == (
        "### nnrun smoke\n\n"
        "| spec | data | seconds | result |\n"
        "| --- | --- | ---: | --- |\n"
        "| a.yaml | synthetic rows | 1.50 | passed, expect skipped |\n"
        "| b\\|c.yaml | real rows | 0.25 | failed |\n"
        "| d.yaml |  |  | refused |\n"
        "| e.yaml |  |  | not tried |\n\n"
        "- b\\|c.yaml: out of \\[memory\\]\n"
        "- d.yaml:1:1: NN101 x\n"
        "- d.yaml:2:1: NN102 y\n\n"
        "1 of 4 passed in 3.0 s\n"
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [("passed", 0), ("failed", 1), ("refused", 2), ("interrupted", 1), ("not tried", 1)],
)
def test_each_status_has_its_exit_code(status: str, code: int) -> None:
    assert SmokeResult("a.yaml", status=status).code == code
