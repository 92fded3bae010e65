"""`nnrun predict RUN`, and how `predict`, `evaluate` and `export` run code that needs TensorFlow."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from nnrun.cli import console, specs
from nnrun.cli.verb import AllowCode, Augment, Folds, Json, McDropout, Output, RunFolder
from nnrun.errors import CommandError
from nnrun.spec.text import cut, escape_cell, escape_line, format_number
from nnrun.training import backend
from nnrun.training.backend import Interrupts, Noise

if TYPE_CHECKING:
    from nnrun.analysis.predict import Ensemble, Raw, TrainedRun
    from nnrun.analysis.predict.trained import Answer, Prediction

DEFAULT_ROWS = "0:10"
STDIN = "-"
NO_LABELS = "-"
EXCERPT = 60  # characters of a text that a table shows

Format = StrEnum("Format", ["table", "json", "csv"])


def predict(
    path: RunFolder,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...", help="Images or a folder of them; or one table, .npz or .npy."
        ),
    ] = None,
    rows: Annotated[
        str | None, typer.Option(metavar="A:B", help="Rows of the test set; by default 0:10.")
    ] = None,
    texts: Annotated[
        list[str], typer.Option("--text", metavar="TEXT", help="A text; may be repeated.")
    ] = [],  # noqa: B006 - Typer reads it, nobody changes it
    text_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="One text per line; - is stdin.")
    ] = None,
    invert: Annotated[
        bool | None,
        typer.Option(
            "--invert/--no-invert",
            help="Swap light and dark in images; by default decided by their edges.",
        ),
    ] = None,
    folds: Folds = False,
    augment: Augment = None,
    mc_dropout: McDropout = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Default: the suffix of FILE, or a table.")
    ] = None,
    output: Output = None,
    allow_code: AllowCode = False,
    json: Json = False,
) -> None:
    """Predict with a trained run: rows, texts, images, tables.

    The run folder contains the model and the preparation of its input. For k-fold runs, predictions
    come from the `--final` model, or are the mean over the models of the folds. For a folder of runs
    with several seeds they are the mean over seeds.

    Example: nnrun predict runs/20260101-120000-imdb --text "A film of beauty."
    """
    given = {"--rows": rows, "--text": texts, "--text-file": text_file, "files": files}
    names = [name for name, value in given.items() if value]
    if len(names) > 1:
        raise CommandError(f"{' and '.join(names)} exclude each other")
    if invert is not None and not files:
        raise CommandError("--invert is for images, and no image is given")

    from nnrun.analysis.predict import ensemble, tables
    from nnrun.analysis.predict import files as inputs

    models = ensemble(path, folds=folds, augment=augment, mc_dropout=mc_dropout)
    allow(models.members, allow_code=allow_code)
    subject = models.first
    if files:
        raw = inputs.read(files, subject, invert=invert)
    elif texts or text_file:
        raw = tables.encode_texts(texts or _lines(text_file), subject)
    else:
        wanted = inputs.parse_range(DEFAULT_ROWS if rows is None else rows)
        raw = inputs.read_test_rows(subject, wanted)
    console.print_notes((*models.notices, *raw.notices))
    with tensorflow():
        from nnrun.analysis.predict import model, trained

        answers = trained.predictions(subject, raw, model.outputs(models, raw))
    console.print_notes(_missing(answers))
    format_ = Format.json if json else format_ or console.format_of(output, Format)
    _write(models, raw, answers, format_, output)


def _lines(path: Path | None) -> list[str]:
    from nnrun.analysis.predict import inputs

    assert path
    is_stdin = str(path) == STDIN
    content = sys.stdin.buffer.read(inputs.LARGEST_OTHER) if is_stdin else inputs.content(path)
    text = inputs.text(path, content).replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n") if text else []


def allow(subjects: Sequence[TrainedRun], *, allow_code: bool) -> None:
    """Allows the Python files of runs, or refuses them if they are not allowed yet."""
    from nnrun.experiment.inputs import use_code

    for subject in subjects:
        specs.allow(subject.loaded, allow_code=allow_code)
    use_code(subjects[0].spec)


@contextmanager
def tensorflow() -> Iterator[None]:
    """Loads TensorFlow, and hides its messages."""
    with Noise(), Interrupts() as interrupts:
        backend.load()
        yield
        # Some packages swallow a KeyboardInterrupt while they are imported.
        interrupts.check()


def _missing(answers: Sequence[Prediction]) -> list[str]:
    """A notice about rows without a prediction."""
    missing = sum(answer.prediction is None for answer in answers)
    rows = f"{missing:,} of {len(answers):,} rows have"
    return [f"{rows} no prediction: the output is not a finite number"] if missing else []


def _write(
    models: Ensemble,
    raw: Raw,
    answers: Sequence[Prediction],
    format_: Format,
    output: Path | None,
) -> None:
    if format_ is Format.json:
        console.write_result(console.as_json(_as_json(models, raw, answers)), output)
    elif format_ is Format.csv:
        console.write_result(_as_csv(models, raw, answers), output)
    else:
        console.write_result(lambda out: out.print(_as_table(models, answers)), output)


def _as_table(models: Ensemble, answers: Sequence[Prediction]) -> Table:
    """A line per row; a wrong class is red and marked with a cross."""
    subject, optional = models.first, ("text", "label", "probability", "error", "std")
    headings = [
        heading
        for heading in ("row", "text", "label", "prediction", "probability", "error", "std")
        if heading not in optional or any(getattr(a, heading) is not None for a in answers)
    ]
    rows, styles = [], []
    for answer in answers:
        is_known = None not in (answer.label, answer.prediction)
        is_exact = subject.target.kind != "value"
        is_wrong = is_exact and is_known and answer.label != answer.prediction
        cells = {
            "row": answer.name,
            "text": _excerpt(answer.text or ""),
            "label": _formatted(answer.label),
            "prediction": f"{_shown(answer)}{' ✗' if is_wrong else ''}",
            "probability": format_number(answer.probability),
            "error": format_number(answer.error),
            "std": _formatted(answer.std),
        }
        rows.append([escape_line(cells[heading]) for heading in headings])
        styles.append("red" if is_wrong else "")
    title = ", ".join(filter(None, (f"{subject.name}: {subject.target.name}", models.description)))
    are_numbers = subject.target.kind == "value" and not subject.target.shape
    right = ["probability", "error", "std", *(["label", "prediction"] if are_numbers else [])]
    return console.make_table(
        headings, rows, title=escape_line(title), right=right, row_styles=styles
    )


def _excerpt(text: str) -> str:
    return cut(" ".join(text.split()), EXCERPT)


def _shown(answer: Prediction) -> str:
    """The prediction, with the probability of each label."""
    labels, known = answer.prediction, answer.probabilities
    if not isinstance(labels, tuple) or not known:
        return _formatted(labels)
    return ", ".join(f"{label} {known[label]:.2f}" for label in labels) or NO_LABELS


def _formatted(value: Answer) -> str:
    match value:
        case str():
            return value
        case tuple():
            return ", ".join(value) or NO_LABELS
        case list():
            return _summary(value)
        case dict():
            return ", ".join(f"{name} {format_number(number)}" for name, number in value.items())
    return format_number(value)


def _summary(positions: list[object]) -> str:
    """The share of each class, or the mean value, over all positions of a row."""
    flat: list[object] = positions
    while flat and isinstance(flat[0], list):
        flat = [item for part in flat if isinstance(part, list) for item in part]
    numbers = [item for item in flat if isinstance(item, int | float)]
    if any(isinstance(item, float) for item in numbers):
        return f"mean {format_number(sum(numbers) / len(numbers))}"
    return ", ".join(
        f"{name} {numbers.count(name) / len(numbers):.0%}" for name in sorted({*numbers})
    )


def _as_json(models: Ensemble, raw: Raw, answers: Sequence[Prediction]) -> dict[str, object]:
    target = models.first.target
    return {
        **described(models),
        "target": target.name,
        "classes": [] if target.kind == "value" else list(target.names),
        "notices": [*models.notices, *raw.notices, *_missing(answers)],
        "rows": [
            answer.as_json() | ({"others": others} if others else {})
            for answer, others in zip(answers, _others(raw), strict=True)
        ],
    }


def described(models: Ensemble) -> dict[str, object]:
    """The models in a JSON document."""
    is_one = len(models.members) == 1
    path = models.first.run.path if is_one else models.path
    number = {} if is_one else {"models": len(models.members)}
    if models.active:
        number[models.active.replace("-", "_")] = models.passes
    return {"path": str(path), **number, "dataset": models.first.name}


def _as_csv(models: Ensemble, raw: Raw, answers: Sequence[Prediction]) -> str:
    """A line per row, with a column per class where the model returns probabilities.

    Columns of a table that the model does not use, such as ids, stand ahead of the prediction.
    Labels are separated by semicolons, and several values have a column each.
    """
    target = models.first.target
    names = [f"p({name})" for name in target.names] if answers[0].probabilities else []
    values = target.names if target.kind == "value" and target.shape else ()
    of_each = [f"std({name})" for name in target.names] if target.shape else ["std"]
    std = of_each if models.is_averaged else []
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    both = ("label", "prediction")
    columns = [f"{kind}({name})" for name in values for kind in both] or [*both]
    error = ["error"] if target.kind == "inputs" else []
    known = ["text", *columns, "probability", *error, *std, *names]
    others = [f"{name} (input)" if name in ("row", *known) else name for name in raw.others]
    writer.writerow(map(escape_cell, ["row", *others, *known]))
    for answer, more in zip(answers, _others(raw), strict=True):
        spread = answer.std.values() if isinstance(answer.std, dict) else [answer.std]
        cells = [answer.text, *_cells(answer, values), answer.probability]
        cells += [answer.error] if error else []
        cells += spread if std else []
        cells += (answer.probabilities or {}).values()
        writer.writerow([escape_cell(answer.name), *map(_cell, (*more.values(), *cells))])
    return file.getvalue()


def _others(raw: Raw) -> list[dict[str, str | None]]:
    """For each row, its cells of the columns that the model does not use."""
    rows = zip(*raw.others.values(), strict=True)
    return [dict(zip(raw.others, row, strict=True)) for row in rows] or [{} for _ in raw.names]


def _cell(content: str | float | None) -> str | float | None:
    """A cell of a CSV file; numbers stay as they are."""
    from nnrun.spec.labels import are_numbers

    if isinstance(content, str) and not are_numbers([content]):
        return escape_cell(content)
    return content


def _cells(answer: Prediction, values: Sequence[object]) -> list[str | float | None]:
    """Label and prediction, in two columns for each value."""
    both = (answer.label, answer.prediction)
    cells: list[str | float | None] = []
    for each in both:
        if isinstance(each, dict) or values:
            continue
        if isinstance(each, list):
            each = _summary(each)
        cells.append(";".join(each) if isinstance(each, tuple) else each)
    for name in values:
        cells += [each.get(str(name)) if isinstance(each, dict) else None for each in both]
    return cells
