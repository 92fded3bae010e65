"""What a run says of its epochs: both histories, metrics, curves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree import ElementTree

from nnrun import layout
from nnrun.artefacts.kept import Kept, differing, lacking
from nnrun.plots.reading import size

METRICS = frozenset(
    "schema_version epochs monitor best_epoch initial last best train parameters seconds".split()
)
"""What the metrics of every finished run have."""
LEAST_PIXELS = 100
"""Width and height that a plot has at least."""


def history(kept: Kept) -> Iterator[str]:
    """`history.json` holds as many values of each metric."""
    if len({len(values) for values in kept.history().values()}) != 1:
        yield "has not the same number of values for each metric"


def journal(kept: Kept) -> Iterator[str]:
    """`history.csv` has a row per epoch, and says the same as `history.json`."""
    header, rows = kept.table(layout.JOURNAL)
    known = kept.history()
    epochs = len(known["loss"])
    if header != ["epoch", *known]:
        yield f"has the columns {', '.join(header)}"
    elif len(rows) != epochs:
        yield f"has {len(rows)} rows, and should have {epochs}"
    elif [row[0] for row in rows] != [str(epoch) for epoch in range(1, epochs + 1)]:
        yield "does not count the epochs"
    elif [[_number(text) for text in row[1:]] for row in rows] != _by_epoch(known):
        yield "says something else than history.json"


def _number(text: str) -> float | None:
    """As JSON has it, which knows neither NaN nor infinity."""
    value = float(text)
    return value if math.isfinite(value) else None


def _by_epoch(history: dict[str, list[float | None]]) -> list[list[float | None]]:
    return [list(values) for values in zip(*history.values(), strict=True)]


def metrics(kept: Kept) -> Iterator[str]:
    """`metrics.json` has its keys, and says of the last epoch what the history says."""
    found, known, fold = kept.json(layout.METRICS), kept.history(), kept.intake.fold
    judged = {"validation": len(fold.validation) > 0, "test": not fold.number}
    yield from lacking(METRICS | {name for name, is_so in judged.items() if is_so}, found)
    expected = {
        "schema_version": layout.SCHEMA_VERSION,
        "epochs": len(known["loss"]),
        "last": {name: values[-1] for name, values in known.items()},
        "parameters": kept.json(layout.RUN)["parameters"],
    }
    yield from differing(expected, found)


def pictures(kept: Kept) -> Iterator[str]:
    """`plots/` has a curve per metric and what shows the predictions, each a whole picture."""
    for name in _pictures(kept):
        width, height = size(kept.present(layout.plot(name)))
        if min(width, height) < LEAST_PIXELS:
            yield f"{name} is of {width} x {height} pixels"
    drawing = layout.drawing("model")
    try:
        ElementTree.fromstring(kept.text(drawing))
    except ElementTree.ParseError:
        yield f"{drawing}: is no whole drawing"


def _pictures(kept: Kept) -> Iterator[str]:
    for metric in kept.history():
        if not metric.startswith("val_"):
            yield metric
    yield "model"
    if not kept.classes:
        yield "predicted"
        return
    yield "confusion"
    # Of a table there is nothing to be seen.
    if getattr(kept.intake.dataset.train.x, "ndim", 0) != 2:
        yield "gallery"
