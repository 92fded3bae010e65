"""Every file of a run folder with the function that reads it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nnrun import layout
from nnrun.artefacts import epochs, facts, predicted
from nnrun.artefacts.kept import Kept
from nnrun.errors import NnrunError
from nnrun.intake import Intake
from nnrun.keras_objects import reason
from nnrun.models.build import REFUSALS, TOO_LARGE
from nnrun.runs import Run

CHECKS: dict[str, Callable[[Kept], Iterator[str]]] = {
    layout.RUN: facts.record,
    layout.SPEC: facts.spec,
    layout.HISTORY: epochs.history,
    layout.JOURNAL: epochs.journal,
    layout.METRICS: epochs.metrics,
    layout.PREPARATION: facts.preparation,
    layout.PREDICTIONS: predicted.predictions,
    layout.CONFUSION: predicted.confusion,
    layout.REPORT: predicted.report,
    layout.MODEL: predicted.model,
    layout.SUMMARY: facts.summary,
    layout.LOG: facts.log,
    layout.PLOTS: epochs.pictures,
}
"""What is said of a file that is not as it should be; nothing where it is."""

_OF_CLASSES = {layout.CONFUSION, layout.REPORT}


def faults(run: Run, intake: Intake) -> tuple[str, ...]:
    """All that is wrong with the files of a finished run; none where all can be read back.

    What a file says is compared with the rows and the spec, or with another file that must say the
    same.

    Args:
        run: its folder.
        intake: the rows and the spec that it was made of.

    Returns:
        A sentence each, beginning with the file.
    """
    kept = Kept(run, intake)
    made = [name for name in CHECKS if kept.classes or name not in _OF_CLASSES]
    # A file that others are compared with is complained of more than once.
    return tuple(dict.fromkeys(fault for name in made for fault in _faults(name, kept)))


def _faults(name: str, kept: Kept) -> Iterator[str]:
    try:
        for sentence in CHECKS[name](kept):
            yield f"{name}: {sentence}"
    except NnrunError as error:
        yield str(error).removeprefix(f"{kept.run.path}/")
    except (*REFUSALS, *TOO_LARGE, KeyError) as error:
        # It can be parsed, but is no file of ours; or one that it is compared with is none.
        yield f"{name}: cannot be read back: {type(error).__name__}: {reason(error)}"
