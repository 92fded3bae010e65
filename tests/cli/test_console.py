"""Control characters in printed text are shown and not obeyed."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from nnrun.cli import console
from nnrun.cli.console import SafeConsole
from nnrun.errors import Fault, Place, RunError, SpecError

NAME = "a\x1b]0;owned\x07\x1b[2J\x9b31m\rb\u202ec\x7f"
SHOWN = "a␛]0;owned␇␛[2J�31m␍b�c␡"
STYLE = re.compile("\x1b\\[[0-9;]*m")


def printed(*renderables: RenderableType, markup: bool = True) -> str:
    """The output on a terminal, without colours."""
    out = io.StringIO()
    SafeConsole(file=out, force_terminal=True, width=200, highlight=False).print(
        *renderables, markup=markup
    )
    return STYLE.sub("", out.getvalue())


def table(cell: RenderableType) -> Table:
    made = Table("run")
    made.add_row(cell)
    return made


@pytest.mark.parametrize(
    "renderable", [NAME, table(NAME), Table(NAME), Table(title=NAME)], ids=["text", "cell", "heading", "title"]
)  # fmt: skip
def test_control_characters_are_visible(renderable: RenderableType) -> None:
    assert "\x1b" not in printed(renderable)
    assert SHOWN in printed(renderable) or isinstance(renderable, Table)


def test_control_characters_of_text_objects_are_removed() -> None:
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", printed(Text(NAME), table(Text(NAME)))
    )


def test_control_characters_do_not_break_a_table() -> None:
    lines = printed(table(NAME)).splitlines()

    assert len({len(line) for line in lines}) == 1
    assert any(SHOWN in line for line in lines)


def test_a_status_line_returns_the_cursor() -> None:
    out = io.StringIO()
    console.print_status(
        f"reading {NAME}", SafeConsole(file=out, force_terminal=True, width=200, highlight=False)
    )

    assert out.getvalue() == f"reading {SHOWN}\r"


def test_control_characters_of_errors_are_visible(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_error(RunError(f"{NAME}[red]: is not a run"))

    assert capsys.readouterr().err == f"error: {SHOWN}[red]: is not a run\n"


def test_control_characters_of_annotations_are_visible(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    place = Place(f"{NAME}.yaml", 1, 1, 1, NAME)
    console.print_error(SpecError((Fault("NN101", NAME, f"{NAME}\n::stop-commands::x", place),)))
    output = capsys.readouterr().err

    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", output)
    assert [line for line in output.splitlines() if line.startswith("::")] == [
        f"::error file={SHOWN}.yaml,line=1,col=1,endColumn=2,title=NN101::"
        f"{SHOWN}: {SHOWN}␊::stop-commands::x"
    ]


def test_json_is_lossless_without_control_characters() -> None:
    assert console.as_json({"name": "\x1b\x9b\u202e\udcff"}) == (
        '{\n  "name": "\\u001b\\u009b\\u202e\\udcff"\n}\n'
    )
