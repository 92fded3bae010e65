"""The console: control characters are not obeyed; the summary at the end of a run."""

from __future__ import annotations

import io
import re
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from nnrun import runs
from nnrun.cli import console, summary
from nnrun.cli.console import SafeConsole
from nnrun.cli.progress import FoldProgress
from nnrun.errors import Fault, Place, RunError, SpecError
from nnrun.runs import Run, layout
from nnrun.types import History

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
        '{\n  "schema_version": 1,\n  "name": "\\u001b\\u009b\\u202e\\udcff"\n}\n'
    )


FALLING = [0.9, 0.7, 0.5, 0.4, 0.3, 0.2]
RISING = [0.8, 0.6, 0.7, 0.8, 0.9, 1.0]


def test_rising_validation_loss_under_falling_training_loss_is_overfitting() -> None:
    history = History({"loss": FALLING, "val_loss": RISING})

    assert summary.overfitting(history, 0.2) == (
        "overfitting: since epoch 2 validation loss rose from 0.6000 to 1.0000 while training loss "
        "fell from 0.7000 to 0.2000; stop earlier (EarlyStopping), or use a smaller model or "
        "dropout"
    )


@pytest.mark.parametrize(
    ("loss", "val_loss", "evaluated"),
    [
        pytest.param(FALLING, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 0.2, id="validation loss falls too"),
        pytest.param(FALLING, [0.9, 0.8, 0.7, 0.6, 0.7, 0.8], 0.2, id="rise of two epochs only"),
        pytest.param(FALLING, [0.9, 0.6, 0.601, 0.602, 0.6, 0.605], 0.2, id="small rise"),
        pytest.param([0.5] * 6, RISING, 0.2, id="training loss does not fall"),
        pytest.param(FALLING, RISING, 0.9, id="batch normalization has not settled"),
        pytest.param(FALLING, RISING, None, id="stopped before the evaluation"),
        pytest.param(FALLING, [], 0.2, id="no validation"),
    ],
)
def test_other_curves_are_not_overfitting(
    loss: list[float], val_loss: list[float], evaluated: float | None
) -> None:
    assert summary.overfitting(History({"loss": loss, "val_loss": val_loss}), evaluated) is None


@pytest.fixture
def unwritable(tmp_path: Path) -> Run:
    """A finished run whose log cannot be written, because a folder has its name."""
    run = runs.create(tmp_path, "digits", now=datetime(2026, 1, 1), record={"verb": "train"})
    run.update(status=layout.FINISHED)
    (run.path / layout.LOG).mkdir()
    return run


@pytest.mark.parametrize("status", [layout.FINISHED, layout.FAILED])
def test_an_unwritable_log_is_reported_unless_the_run_failed(
    status: str, unwritable: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error of a failed run must stay the last message."""
    unwritable.update(status=status)
    summary.log(unwritable)

    note = f"note: {unwritable.path / layout.LOG}: cannot be written: Is a directory\n"
    assert capsys.readouterr().err == (note if status == layout.FINISHED else "")


def test_a_cross_validation_reports_an_unwritable_log_once(
    unwritable: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = FoldProgress()
    progress.run = unwritable
    progress.print("fold 1")
    progress.print("fold 2")

    assert capsys.readouterr().err.splitlines() == [
        f"note: {unwritable.path / layout.LOG}: cannot be written: Is a directory",
        "fold 1",
        "fold 2",
    ]
