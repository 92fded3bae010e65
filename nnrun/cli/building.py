"""What `nnrun check --build` does besides: every model built and compiled by Keras."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nnrun.cli import console
from nnrun.errors import Misfit

if TYPE_CHECKING:
    from nnrun.cli.check import Checked


def built(found: list[Checked], *, quiet: bool) -> list[Checked]:
    """The specs with what Keras has against them.

    Args:
        found: checked without Keras.
        quiet: leave out the summaries, which are printed of those that Keras takes.
    """
    from nnrun.cli import backend
    from nnrun.cli.noise import Noise

    with Noise() as noise:
        console.say_meanwhile("loading TensorFlow", console.stderr(noise.terminal))
        backend.load()
        return [_built(each, quiet=quiet) for each in found]


def _built(each: Checked, *, quiet: bool) -> Checked:
    about = each.about
    if about is None or about.row is None or each.loaded is None:
        return each
    from nnrun.models.build import begin_anew, summary, wire
    from nnrun.training.compile import compile_model

    try:
        shape = tuple(size or 0 for size in about.row.shape)
        begin_anew(about.spec.training.precision)
        wired = wire(about.spec.model, shape, dtype=about.row.dtype)
        described = summary(wired)
        compile_model(wired.model, about.spec.training)
    except Misfit as misfit:
        fault = each.loaded.fault(misfit.code, misfit.path, misfit.message)
        return replace(each, faults=(*each.faults, fault))
    if not quiet:
        console.stdout().print(f"{about.spec.name}\n{described}", markup=False, end="")
    return each
