"""`nnrun predict RUN`."""

from __future__ import annotations

import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console
from nnrun.cli.console import save
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError

if TYPE_CHECKING:
    from nnrun.analysis.predict import Raw, TrainedRun
    from nnrun.analysis.predict.answers import Answer
import csv
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar

from rich.table import Table
from rich.text import Text

from nnrun.analysis.predict import Raw, TrainedRun
from nnrun.analysis.predict.answers import Answer
from nnrun.experiment.interrupts import Interrupts
from nnrun.spec.text import escape_cell, escape_line, number
from nnrun.training import backend
from nnrun.training.backend import Noise

# What is asked where nothing is.
FIRST = "0:10"
STDIN = "-"


class Format(StrEnum):
    """What the answer is written as."""

    table = "table"
    json = "json"
    csv = "csv"


def predict(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...", help="Pictures or a folder of them, or one CSV or npz."
        ),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option("--rows", metavar="A:B", help="Rows of the test set; by default 0:10."),
    ] = None,
    texts: Annotated[
        list[str], typer.Option("--text", metavar="TEXT", help="A sentence; may be repeated.")
    ] = [],  # noqa: B006 - Typer reads it, nobody changes it
    text_file: Annotated[
        Path | None,
        typer.Option("--text-file", metavar="FILE", help="A text per line; - reads stdin."),
    ] = None,
    invert: Annotated[
        bool | None,
        typer.Option(
            "--invert/--no-invert",
            help="Exchange light and dark in pictures; by default where their edges ask for it.",
        ),
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option("--format", help="By default a table, or what the end of FILE says."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write the answer to a file.")
    ] = None,
    json: Json = False,
) -> None:
    """Predict with a trained run: rows, texts, images, tables.

    The run folder is enough: it holds the model and how rows are prepared for it.

    Example: nnrun predict runs/20260101-120000-imdb --text "A film of beauty."
    """
    with exit_codes():
        _check_one(files, rows, texts, text_file)
        from nnrun.analysis.predict import trained_run

        subject = trained_run(path)
        raw = _raw(subject, files, rows, texts, text_file, invert)
        say((*subject.notices, *raw.notices))
        found = ask(_answers, subject, raw)
        _answer(subject, raw, found, Format.json if json else format_ or _named(output), output)


def _check_one(
    files: list[Path] | None, rows: str | None, texts: list[str], text_file: Path | None
) -> None:
    """Refuses several kinds of rows at once.

    Raises:
        CommandError: with their names.
    """
    given = {"--rows": rows, "--text": texts, "--text-file": text_file, "files": files}
    named = [name for name, value in given.items() if value]
    if len(named) > 1:
        raise CommandError(f"{' and '.join(named)} exclude each other")


def _raw(
    subject: TrainedRun,
    files: list[Path] | None,
    rows: str | None,
    texts: list[str],
    text_file: Path | None,
    invert: bool | None,
) -> Raw:
    """The rows that are asked about, of whatever kind."""
    from nnrun.analysis.predict import files as named
    from nnrun.analysis.predict import tables as sentences
    from nnrun.analysis.predict.files import Range, read_test_rows

    if files:
        return named.read(files, subject, invert=invert)
    if invert is not None:
        raise CommandError("--invert is for pictures, and none is named")
    if texts or text_file:
        return sentences.encode_texts(texts or _lines(text_file), subject)
    return read_test_rows(subject, Range.of(FIRST if rows is None else rows))


def _lines(path: Path | None) -> list[str]:
    """The lines of a file, or of standard input."""
    from nnrun.analysis.predict import inputs

    assert path
    is_stdin = str(path) == STDIN
    found = sys.stdin.buffer.read(inputs.LARGEST_OTHER) if is_stdin else inputs.content(path)
    text = inputs.text(path, found).replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n") if text else []


def _answers(subject: TrainedRun, raw: Raw) -> list[Answer]:
    from nnrun.analysis.predict import answers, model

    return answers.answers(subject, raw, model.outputs(subject, raw))


def _named(output: Path | None) -> Format:
    """The format that a file's name asks for."""
    suffix = output.suffix.removeprefix(".") if output else ""
    return Format(suffix) if suffix in set(Format) else Format.table


def _answer(
    subject: TrainedRun, raw: Raw, found: list[Answer], format_: Format, output: Path | None
) -> None:

    if format_ is Format.table and output is None:
        console.stdout().print(table(subject, found))
        return
    if format_ is Format.table:
        answer = io.StringIO()
        console.stderr(answer).print(table(subject, found))
        text = answer.getvalue()
    elif format_ is Format.json:
        text = console.as_json(as_json(subject, raw, found))
    else:
        text = as_csv(subject, found)
    if output is None:
        sys.stdout.write(text)
    else:
        save(output, lambda path: path.write_text(text, encoding="utf-8"))


# How answers of a model show: as a table, as JSON, as CSV.

# Characters of a text that a table has room for.
EXCERPT = 60


def table(subject: TrainedRun, answers: Sequence[Answer]) -> Table:
    """A line per row; a wrong prediction is red and has a cross."""
    has_texts = any(answer.text is not None for answer in answers)
    labelled = any(answer.label is not None for answer in answers)
    sure = any(answer.probability is not None for answer in answers)
    found = Table(
        "row", title=Text(escape_line(f"{subject.name}: {subject.target}")), title_justify="left"
    )
    if has_texts:
        found.add_column("text")
    if labelled:
        found.add_column("label", justify="left" if subject.classes else "right")
    found.add_column("prediction", justify="left" if subject.classes else "right")
    if sure:
        found.add_column("probability", justify="right")
    for answer in answers:
        wrong = bool(subject.classes) and labelled and answer.label != answer.prediction
        cells = [
            answer.name,
            *([_excerpt(answer.text or "")] if has_texts else []),
            *([_said(answer.label)] if labelled else []),
            f"{_said(answer.prediction)}{' ✗' if wrong else ''}",
            *([number(answer.probability)] if sure else []),
        ]
        style = "red" if wrong else ""
        found.add_row(*(Text(escape_line(cell)) for cell in cells), style=style)
    return found


def _excerpt(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else f"{line[: EXCERPT - 1].rstrip()}…"


def _said(value: str | float | None) -> str:
    return value if isinstance(value, str) else number(value)


def as_json(subject: TrainedRun, raw: Raw, answers: Sequence[Answer]) -> dict[str, Any]:
    """All that is known of each row."""
    return {
        "schema_version": 1,
        "path": str(subject.run.path),
        "dataset": subject.name,
        "target": subject.target,
        "classes": list(subject.classes),
        "notices": [*subject.notices, *raw.notices],
        "rows": [answer.as_json() for answer in answers],
    }


def as_csv(subject: TrainedRun, answers: Sequence[Answer]) -> str:
    """A line per row, with a column per class where there are probabilities."""
    names = [f"p({name})" for name in subject.classes] if answers[0].probabilities else []
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    header = ["row", "text", "label", "prediction", "probability", *names]
    writer.writerow(map(escape_cell, header))
    for each in answers:
        shares = (each.probabilities or {}).values()
        cells = [each.name, each.text, each.label, each.prediction, each.probability, *shares]
        writer.writerow(_cell(cell) for cell in cells)
    return file.getvalue()


def _cell(value: str | float | None) -> str | float:
    if value is None:
        return ""
    return escape_cell(value) if isinstance(value, str) else value


# What `predict`, `evaluate` and `export` have in common: the trained model is loaded, and asked.

About = ParamSpec("About")
Found = TypeVar("Found")


def ask(work: Callable[About, Found], *about: About.args, **how: About.kwargs) -> Found:
    """Does what needs TensorFlow, without the messages that TensorFlow has for people.

    Args:
        work: imports what it needs.
        about: what it is given, such as a run and the rows that it is asked about.
        how: likewise, by name.

    Raises:
        RunError: the model cannot be read or used.
    """
    with Noise(), Interrupts() as interrupts:
        backend.load()
        found = work(*about, **how)
        # Packages that load catch what they should not, and go on.
        interrupts.raise_again()
    return found


def say(notices: Iterable[str]) -> None:
    """Says what a person should know, beside the answer."""
    for notice in notices:
        console.stderr().print(f"note: {notice}", markup=False)
