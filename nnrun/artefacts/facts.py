"""What a run says of itself: record, spec, preparation, summary, log."""

from __future__ import annotations

import json
from collections.abc import Iterator

from nnrun import crossval, layout, recording
from nnrun.artefacts.kept import Kept, differing, lacking
from nnrun.errors import SpecError
from nnrun.spec.loading import load

RECORD = frozenset(
    "schema_version name status started ended process verb seed overrides engine device "
    "data_digest split_digest rows notices parameters versions platform cores commit error".split()
)
"""What every record of a finished run has."""


def record(kept: Kept) -> Iterator[str]:
    """`run.json` says that the run is finished, and of which rows it is."""
    found, intake = kept.json(layout.RUN), kept.intake
    yield from lacking(RECORD, found)
    expected = {
        "schema_version": layout.SCHEMA_VERSION,
        "name": intake.spec.name,
        "status": layout.FINISHED,
        "error": None,
        "seed": intake.seed,
        "data_digest": intake.digest,
        "split_digest": crossval.digest([intake.fold]),
    }
    yield from differing(expected, found)
    if "ended" in found and not found["ended"]:
        yield "does not say when the run ended"


def spec(kept: Kept) -> Iterator[str]:
    """`spec.yaml` loads, and gives the same experiment."""
    try:
        loaded = load(kept.present(layout.SPEC))
    except SpecError as error:
        yield f"does not load: {error.faults[0].message}"
        return
    if loaded.experiment != kept.intake.spec:
        yield "gives another experiment than the one that was trained"


def preparation(kept: Kept) -> Iterator[str]:
    """`prepare.json` holds what the steps have learnt from the rows that train."""
    expected = json.loads(json.dumps(recording.prepared(kept.intake)))
    found = kept.json(layout.PREPARATION)
    yield from lacking(expected, found)
    yield from differing(expected, found)


def summary(kept: Kept) -> Iterator[str]:
    """`summary.txt` counts as many parameters as the record."""
    parameters = kept.json(layout.RUN)["parameters"]
    if f"Total params: {parameters:,} " not in kept.text(layout.SUMMARY):
        yield f"does not say that the model has {parameters:,} parameters"


def log(kept: Kept) -> Iterator[str]:
    """`log.txt` has a line for each epoch, with the loss that the history has."""
    losses = kept.history()["loss"]
    lines = [line for line in kept.text(layout.LOG).splitlines() if line.startswith("epoch ")]
    if len(lines) != len(losses):
        yield f"has {len(lines)} lines of epochs, and should have {len(losses)}"
        return
    for epoch, (line, loss) in enumerate(zip(lines, losses, strict=True), start=1):
        if loss is not None and f"  loss {loss:.4f}" not in line:
            yield f"has another loss for epoch {epoch} than history.json"
