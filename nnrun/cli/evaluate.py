"""`nnrun evaluate RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console
from nnrun.cli.verb import Json, exit_codes
from nnrun.errors import CommandError

if TYPE_CHECKING:
    from rich.table import Table

    from nnrun.analysis.predict import Raw, TrainedRun

TEST = "test set"


def evaluate(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="Labelled rows, .csv, .npz or a folder; by default the test set."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Evaluate a trained run on its test set or on a file.

    A CSV has a column with the target's name; an npz has the arrays x and y; pictures lie in a
    folder per class.

    Example: nnrun evaluate runs/20260101-120000-iris flowers.csv
    """
    with exit_codes():
        from nnrun.analysis.predict import trained_run
        from nnrun.cli import predict

        subject = trained_run(path)
        raw = _raw(subject, file)
        predict.say((*subject.notices, *raw.notices))
        found = predict.ask(_metrics, subject, raw)
        source = str(file) if file else TEST
        if json:
            console.print_json(
                {
                    "schema_version": 1,
                    "path": str(subject.run.path),
                    "dataset": subject.name,
                    "source": source,
                    "rows": len(raw),
                    "notices": [*subject.notices, *raw.notices],
                    "metrics": found,
                }
            )
        else:
            console.stdout().print(_table(found, f"{source}, {len(raw):,} rows"))


def _raw(subject: TrainedRun, file: Path | None) -> Raw:
    """Labelled rows.

    Raises:
        CommandError: they have no labels.
    """
    from nnrun.analysis.predict import files

    # What is measured is what a person has: nothing is made more like the training pictures.
    raw = files.read([file], subject, invert=False) if file else files.all_test_rows(subject)
    if raw.y is None:
        where = (
            f"a CSV has them in a column `{subject.target}`, an npz in an array `y`, and pictures "
            "lie in a folder per class"
        )
        raise CommandError(f"{file}: the rows have no labels; {where}")
    return raw


def _metrics(subject: TrainedRun, raw: Raw) -> dict[str, float | None]:
    import math

    from nnrun.analysis.predict import model

    found = model.metrics(subject, raw)
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _table(metrics: dict[str, float | None], title: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    from nnrun.spec.text import number

    table = Table("metric", title=Text(title), title_justify="left")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(Text(name.replace("_", " ")), number(value))
    return table
