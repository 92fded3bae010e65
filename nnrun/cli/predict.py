"""`nnrun predict RUN`."""

from __future__ import annotations

import io
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console
from nnrun.cli.saving import save
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError

if TYPE_CHECKING:
    from nnrun.prediction import Raw, Subject
    from nnrun.prediction.answers import Answer

EXAMPLE = 'Example: nnrun predict runs/20260101-120000-imdb --text "A film of beauty."'
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
    """Say what a trained run makes of test rows, texts, pictures or a table.

    The run folder is enough: it holds the model and how rows are prepared for it.
    """
    with exit_codes():
        _check_one(files, rows, texts, text_file)
        from nnrun import prediction
        from nnrun.cli import asking

        subject = prediction.subject(path)
        raw = _raw(subject, files, rows, texts, text_file, invert)
        asking.say((*subject.notices, *raw.notices))
        found = asking.ask(_answers, subject, raw)
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
    subject: Subject,
    files: list[Path] | None,
    rows: str | None,
    texts: list[str],
    text_file: Path | None,
    invert: bool | None,
) -> Raw:
    """The rows that are asked about, of whatever kind."""
    from nnrun.prediction import files as named
    from nnrun.prediction import held_back
    from nnrun.prediction import texts as sentences

    if files:
        return named.read(files, subject, invert=invert)
    if invert is not None:
        raise CommandError("--invert is for pictures, and none is named")
    if texts or text_file:
        return sentences.read(texts or _lines(text_file), subject)
    return held_back.read(subject, held_back.Range.of(FIRST if rows is None else rows))


def _lines(path: Path | None) -> list[str]:
    """The lines of a file, or of standard input."""
    from nnrun.prediction import raw

    assert path
    is_stdin = str(path) == STDIN
    found = sys.stdin.buffer.read(raw.LARGEST_OTHER) if is_stdin else raw.content(path)
    text = raw.text(path, found).replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n") if text else []


def _answers(subject: Subject, raw: Raw) -> list[Answer]:
    from nnrun.prediction import answers, model

    return answers.answers(subject, raw, model.outputs(subject, raw))


def _named(output: Path | None) -> Format:
    """The format that a file's name asks for."""
    suffix = output.suffix.removeprefix(".") if output else ""
    return Format(suffix) if suffix in set(Format) else Format.table


def _answer(
    subject: Subject, raw: Raw, found: list[Answer], format_: Format, output: Path | None
) -> None:
    from nnrun.cli import predicted

    if format_ is Format.table and output is None:
        console.stdout().print(predicted.table(subject, found))
        return
    if format_ is Format.table:
        answer = io.StringIO()
        console.stderr(answer).print(predicted.table(subject, found))
        text = answer.getvalue()
    elif format_ is Format.json:
        text = console.as_json(predicted.as_json(subject, raw, found))
    else:
        text = predicted.as_csv(subject, found)
    if output is None:
        sys.stdout.write(text)
    else:
        save(output, lambda path: path.write_text(text, encoding="utf-8"))
