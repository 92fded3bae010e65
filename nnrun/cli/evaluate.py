"""`nnrun evaluate RUN`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console, predict
from nnrun.cli.verb import AllowCode, Augment, Folds, Json, McDropout, RunFolder
from nnrun.errors import CommandError
from nnrun.spec.text import escape_line, format_number

if TYPE_CHECKING:
    from nnrun.analysis.predict import Ensemble, Raw, TrainedRun


def evaluate(
    path: RunFolder,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="Labelled rows: a table, .npz or a folder; default: the test set.",
        ),
    ] = None,
    folds: Folds = False,
    augment: Augment = None,
    mc_dropout: McDropout = None,
    allow_code: AllowCode = False,
    json: Json = False,
) -> None:
    """Evaluate a trained run on its test set or on a file.

    For k-fold runs without a final model, and for a folder of runs with several seeds, the mean
    output of the models is evaluated.

    A table has the labels in a column with the target's name, an npz file has arrays x and y,
    and images are in one folder per class.

    Example: nnrun evaluate runs/20260101-120000-iris flowers.csv
    """
    from nnrun.analysis.predict import ensemble
    from nnrun.spec.labels import positive_class

    models = ensemble(path, folds=folds, augment=augment, mc_dropout=mc_dropout)
    predict.allow(models.members, allow_code=allow_code)
    subject = models.first
    raw = _labelled_rows(subject, file)
    notices = [*models.notices, *raw.notices]
    console.print_notes(notices)
    with predict.tensorflow():
        tests = _metrics(models, raw)
    metrics = tests.pop("")
    source = str(file) if file else "test set"
    if json:
        document = predict.described(models)
        facts = {"source": source, "rows": len(raw), "notices": notices, "metrics": metrics}
        facts |= {"tests": tests} if tests else {}
        console.print_json(document | facts)
        return
    columns = {"value": metrics, **{f"test {name}": values for name, values in tests.items()}}
    rows = [
        (name.replace("_", " "), *(format_number(values[name]) for values in columns.values()))
        for name in metrics
    ]
    title = ", ".join(filter(None, (source, f"{len(raw):,} rows", models.description)))
    for name in positive_class(subject.spec.training, subject.classes).values():
        title += f", positive class: {escape_line(name)}"
    table = console.make_table(("metric", *columns), rows, title=title, right=[*columns])
    console.stdout().print(table)


def _labelled_rows(subject: TrainedRun, file: Path | None) -> Raw:
    from nnrun.analysis.predict import files

    # Images are not inverted, so that the metrics are those of the given file.
    raw = files.read([file], subject, invert=False) if file else files.all_test_rows(subject)
    if subject.target.kind == "inputs":
        return raw.with_inputs_as_labels()
    if raw.y is None:
        raise CommandError(
            f"{file}: the rows have no labels; a table needs a column `{subject.target.name}`, an "
            "npz file an array `y`, and images one folder per class"
        )
    return raw.labelled


def _metrics(models: Ensemble, raw: Raw) -> dict[str, dict[str, float | None]]:
    """The metrics of all rows as `""`, and of each of several test sets."""
    from nnrun.analysis.predict import model

    return {name: _finite(values) for name, values in model.metrics(models, raw).items()}


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    if math.isnan(metrics["loss"]):
        # An output is not a number; Keras counts it as a class all the same.
        return dict.fromkeys(metrics)
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}
