"""Whether a run reached what its spec expects of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nnrun.runs import Run, layout
from nnrun.runs.record import GateResult, Numbers, Spread
from nnrun.spec.expect import Gate


def judge_gates(run: Run, expect: Mapping[str, Gate]) -> list[GateResult]:
    """Judges a finished run by its gates and writes the outcome into its record.

    Args:
        run: finished.
        expect: the spec's gates, by name.

    Raises:
        RunError: the record cannot be written.
    """
    if not expect:
        return []
    measured = dict(numbers(run))
    outcomes = [
        GateResult(
            name=name, expected=gate.text, got=got, passed=got is not None and gate.holds(got)
        )
        for name, gate in expect.items()
        for got in [measured.get(name)]
    ]
    run.update(expect=[outcome.model_dump() for outcome in outcomes])
    return outcomes


def numbers(run: Run) -> Iterator[tuple[str, float]]:
    """Every number that a gate may ask for, by its name.

    `loss` and the metrics are those of the model as saved: by themselves on the training rows, with
    `val_` on the rows that validate and with `test_` on the test rows; of a K-fold they are means
    over folds. `best_` and `last_` stand for the best and the last epoch of the history.
    """
    metrics = run.metrics()
    by_prefix: dict[str, Mapping[str, Spread] | Numbers] = {
        "": metrics.train,
        "val_": metrics.validation,
        "test_": metrics.test,
        "best_": metrics.best,
        "last_": metrics.last,
    }
    for prefix, values in by_prefix.items():
        for name, value in values.items():
            number = value.mean if isinstance(value, Spread) else value
            if number is not None:
                yield f"{prefix}{name}", number
    counts = {
        "epochs": None if metrics.is_empty else metrics.epochs,
        "best_epoch": metrics.best_epoch,
        "parameters": metrics.parameters,
        "seconds": metrics.seconds.get("total"),
        "model_bytes": _size(run),
    }
    yield from ((name, number) for name, number in counts.items() if number is not None)


def _size(run: Run) -> int | None:
    """Bytes of the model's file; of a K-fold that of its final model, or of its first fold."""
    for part in ("", f"{layout.FINAL}/", f"{layout.fold(1)}/"):
        if run.holds(f"{part}{layout.MODEL}"):
            return run.whole(f"{part}{layout.MODEL}").stat().st_size
    return None
