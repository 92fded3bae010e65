"""Compares the results of a run with the expectations of its spec."""

from __future__ import annotations

from collections.abc import Mapping

from nnrun.runs import Run, layout
from nnrun.runs.record import GateResult, Numbers, Spread
from nnrun.spec.expect import Gate


def judge_gates(run: Run, expect: Mapping[str, Gate]) -> list[GateResult]:
    """Judges a finished run by the gates of its spec, and writes the results into its record."""
    if not expect:
        return []
    values = numbers(run)
    results = []
    for name, gate in expect.items():
        got = values.get(name)
        passed = got is not None and gate.holds(got)
        results.append(GateResult(name=name, expected=gate.text, got=got, passed=passed))
    run.update(expect=[result.model_dump() for result in results])
    return results


def numbers(run: Run) -> dict[str, float]:
    """All numbers that a gate may name.

    `loss` and metrics without a prefix are those of the saved model on the training rows, with
    `val_` on the validation rows, with `test_` on the test rows, with `test_NAME_` on those of one of several
    test sets; for k-fold runs means over folds.
    `ensemble_` means the averaged models of all folds on the test rows.
    `best_` and `last_` mean the best and the last epoch of the history.
    """
    metrics = run.metrics()
    by_prefix: dict[str, Mapping[str, Spread] | Numbers] = {
        "": metrics.train,
        "val_": metrics.validation,
        "test_": metrics.test,
        "ensemble_": metrics.ensemble.test if metrics.ensemble else {},
        **{f"test_{name}_": values for name, values in metrics.tests.items()},
        "best_": metrics.best,
        "last_": metrics.last,
    }
    values = {
        f"{prefix}{name}": value.mean if isinstance(value, Spread) else value
        for prefix, metrics_of_rows in by_prefix.items()
        for name, value in metrics_of_rows.items()
    }
    values |= {
        "epochs": None if metrics.is_empty else metrics.epochs,
        "best_epoch": metrics.best_epoch,
        "parameters": metrics.parameters,
        "seconds": metrics.seconds.get("total"),
        "model_bytes": _model_bytes(run),
    }
    return {name: value for name, value in values.items() if value is not None}


def _model_bytes(run: Run) -> int | None:
    """The size of the model's file; for k-fold runs that of the final model or the first fold."""
    for part in ("", f"{layout.FINAL}/", f"{layout.fold(1)}/"):
        if run.holds(f"{part}{layout.MODEL}"):
            return run.whole(f"{part}{layout.MODEL}").stat().st_size
    return None
