"""Whether a run reached what its spec expects of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nnrun.runs import Run, layout
from nnrun.spec.expect import Gate


@dataclass(frozen=True)
class Outcome:
    """One gate, judged.

    Args:
        name: of what is measured.
        expected: the condition as it was written.
        got: what the run measured; None where it measured no such thing.
        passed: whether the condition holds.
    """

    name: str
    expected: str
    got: float | None
    passed: bool


def judge_gates(run: Run, expect: Mapping[str, Gate]) -> list[Outcome]:
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
        Outcome(name, gate.text, got, got is not None and gate.holds(got))
        for name, gate in expect.items()
        for got in [measured.get(name)]
    ]
    run.update(expect=[vars(outcome) for outcome in outcomes])
    return outcomes


def read(run: Run) -> list[Outcome]:
    """What was judged of a run; nothing where it has no gates."""
    return [Outcome(**entry) for entry in run.record().get("expect") or []]


def numbers(run: Run) -> Iterator[tuple[str, float]]:
    """Every number that a gate may ask for, by its name.

    `loss` and the metrics are those of the model as saved: by themselves on the training rows, with
    `val_` on the rows that validate and with `test_` on the test rows; of a K-fold they are means
    over folds. `best_` and `last_` stand for the best and the last epoch of the history.
    """
    metrics = run.metrics()
    for rows, prefix in (("train", ""), ("validation", "val_"), ("test", "test_")):
        yield from _numbers(prefix, metrics.get(rows, {}))
    yield from _numbers("best_", metrics.get("best", {}))
    yield from _numbers("last_", metrics.get("last", {}))
    known = {name: metrics.get(name) for name in ("epochs", "best_epoch", "parameters")}
    known["seconds"] = metrics.get("seconds", {}).get("total")
    known["model_bytes"] = _size(run)
    yield from _numbers("", known)


def _numbers(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        number = value.get("mean") if isinstance(value, dict) else value
        if isinstance(number, (int, float)):
            yield f"{prefix}{name}", number


def _size(run: Run) -> int | None:
    """Bytes of the model's file; of a K-fold that of its final model, or of its first fold."""
    for part in ("", f"{layout.FINAL}/", f"{layout.fold(1)}/"):
        if run.holds(f"{part}{layout.MODEL}"):
            return run.whole(f"{part}{layout.MODEL}").stat().st_size
    return None
