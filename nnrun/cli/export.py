"""`nnrun export RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console
from nnrun.cli.verb import Json, exit_codes
from nnrun.exporting.formats import Format, check_packages, ending

if TYPE_CHECKING:
    from nnrun.analysis.predict import TrainedRun
    from nnrun.exporting.flow import Exported


def export(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    format_: Annotated[
        Format, typer.Option("--format", help="onnx needs the extra: pip install 'nnrun[onnx]'.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="PATH", help="By default the run's name, here."),
    ] = None,
    json: Json = False,
) -> None:
    """Export a trained model to SavedModel, LiteRT or ONNX.

    The export is run once on test rows, or on random ones where the data are not here, and is kept
    only if it says what Keras says. A JSON file tells what rows it takes.

    Example: nnrun export runs/20260101-120000-iris --format onnx
    """
    with exit_codes():
        check_packages(format_)
        from nnrun.analysis.predict import trained_run
        from nnrun.cli import predict
        from nnrun.exporting import flow

        subject = trained_run(path)
        target = output or Path(f"{flow.name(subject)}{ending(format_)}")
        flow.check_free(target, format_)
        predict.say(subject.notices)
        found = predict.ask(_export, subject, format_, target)
        if json:
            console.print_json(_as_json(subject, found))
        else:
            _say(found)


def _export(subject: TrainedRun, format_: Format, target: Path) -> Exported:
    from nnrun.exporting import flow

    return flow.export(subject, format_, target)


def _say(found: Exported) -> None:
    from nnrun.spec.text import size

    many = "any number of rows" if found.batch is None else "one row at a time"
    x = found.asked.x
    said = (
        f"{found.path}: {size(found.bytes)}; takes {many} of shape {x.shape[1:]}, {x.dtype}\n"
        f"{found.description}: how rows are prepared for it, and what it puts out\n"
        f"compared with Keras on {len(x)} rows of {found.asked.source}: largest difference "
        f"{found.difference:.1e}, allowed {found.tolerance:.0e}"
    )
    console.stdout().print(said, markup=False)


def _as_json(subject: TrainedRun, found: Exported) -> dict[str, object]:
    return {
        "schema_version": 1,
        "path": str(subject.run.path),
        "format": str(found.format),
        "output": str(found.path),
        "description": str(found.description),
        "bytes": found.bytes,
        "batch": found.batch,
        "shape": list(found.asked.x.shape[1:]),
        "dtype": str(found.asked.x.dtype),
        "rows": len(found.asked.x),
        "source": found.asked.source,
        "largest_difference": found.difference,
        "tolerance": found.tolerance,
        "notices": list(subject.notices),
    }
