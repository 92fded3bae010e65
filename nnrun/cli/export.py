"""`nnrun export RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnrun.cli import console, predict
from nnrun.cli.verb import AllowCode, Json, RunFolder
from nnrun.exporting.formats import Format, check_free, check_packages, ending, name
from nnrun.spec.text import format_size

if TYPE_CHECKING:
    from nnrun.analysis.predict import TrainedRun
    from nnrun.exporting.flow import Exported


def export(
    path: RunFolder,
    format_: Annotated[
        Format, typer.Option("--format", help="onnx needs the extra: pip install 'nnrun[onnx]'.")
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Default: the run's name, in this folder.")
    ] = None,
    allow_code: AllowCode = False,
    json: Json = False,
) -> None:
    """Export a trained model to SavedModel, LiteRT or ONNX.

    The exported model is run on test rows, or on random rows without the data. The export fails if
    its outputs differ from those of Keras. A JSON file beside it describes its input.

    Example: nnrun export runs/20260101-120000-iris --format onnx
    """
    check_packages(format_)
    from nnrun.analysis.predict import trained_run

    subject = trained_run(path)
    predict.allow([subject], allow_code=allow_code)
    target = output or Path(f"{name(subject)}{ending(format_)}")
    check_free(target, format_)
    console.print_notes(subject.notices)
    with predict.tensorflow():
        from nnrun.exporting import flow

        exported = flow.export(subject, format_, target)
    if json:
        console.print_json(_as_json(subject, exported))
    else:
        console.stdout().print(_description(exported))


def _description(exported: Exported) -> str:
    rows = "any number of rows" if exported.batch is None else "one row at a time"
    x = exported.compared.x
    return (
        f"{exported.path}: {format_size(exported.bytes)}; takes {rows} of shape {x.shape[1:]}, "
        f"{x.dtype}\n"
        f"{exported.description}: how input rows are prepared, and what the model returns\n"
        f"compared with Keras on {len(x)} rows of {exported.compared.source}: largest difference "
        f"{exported.difference:.1e}, allowed {exported.tolerance:.0e}"
    )


def _as_json(subject: TrainedRun, exported: Exported) -> dict[str, object]:
    return {
        "path": str(subject.run.path),
        "format": str(exported.format),
        "output": str(exported.path),
        "description": str(exported.description),
        "bytes": exported.bytes,
        "batch": exported.batch,
        "shape": list(exported.compared.x.shape[1:]),
        "dtype": str(exported.compared.x.dtype),
        "rows": len(exported.compared.x),
        "source": exported.compared.source,
        "largest_difference": exported.difference,
        "tolerance": exported.tolerance,
        "notices": list(subject.notices),
    }
