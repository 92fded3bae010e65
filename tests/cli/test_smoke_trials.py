"""A fault of ours in one trial does not stop the others."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nnrun.cli.smoke import SmokeProgress, SmokeResult, Trials
from nnrun.errors import RunError
from nnrun.experiment.interrupts import Interrupts
from nnrun.runs import Run
from nnrun.spec.loading import load

IRIS = Path(__file__).parents[2] / "configs" / "iris.yaml"


class Finished(Run):
    """A run that was made, as far as a trial is concerned."""

    def metrics(self) -> dict[str, Any]:
        return {"epochs": 1}


def attempted(
    error: BaseException | None, folder: Path, *, interrupt: signal.Signals | None = None
) -> SmokeResult:
    """How a trial went that ended with an error, or none, and lost an interrupt before."""

    def carry_out(*_: Any, **__: Any) -> Run:
        if interrupt:
            with suppress(KeyboardInterrupt):
                signal.raise_signal(interrupt)
        if error:
            raise error
        return Finished(folder)

    each = SmokeResult("iris.yaml", "iris")
    with SmokeProgress(1) as watcher, Interrupts() as interrupts:
        trials = Trials(folder, watcher, False, 0.0, carry_out, interrupts)
        trials.attempt(load(IRIS), each)
    return each


def test_a_fault_of_ours_is_noted_with_its_traceback(tmp_path: Path) -> None:
    each = attempted(ZeroDivisionError("ours"), tmp_path)

    assert (each.status, each.code) == ("failed", 1)
    assert each.errors == ("ZeroDivisionError('ours')",)
    assert each.trace.startswith("Traceback (most recent call last):\n")
    assert each.trace.endswith("ZeroDivisionError: ours\n")


def test_what_a_person_can_mend_has_no_traceback(tmp_path: Path) -> None:
    each = attempted(RunError("model.keras: is not there"), tmp_path)

    assert (each.status, each.errors, each.trace) == ("failed", ("model.keras: is not there",), "")


def test_what_passes_has_its_metrics(tmp_path: Path) -> None:
    each = attempted(None, tmp_path)

    assert (each.status, each.metrics, each.data) == ("passed", {"epochs": 1}, "real")


def test_an_interrupt_is_noted_and_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        attempted(KeyboardInterrupt(), tmp_path)


@pytest.mark.parametrize("error", [None, SystemError("bad argument"), RunError("torn")], ids=repr)
def test_an_interrupt_that_became_another_error_is_still_one(
    error: Exception | None, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """As where Ctrl-C falls into TensorFlow while it traces a function."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with pytest.raises(KeyboardInterrupt):
        attempted(error, tmp_path, interrupt=signal.SIGINT)


def test_the_signals_are_handled_as_before_when_all_is_over(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    attempted(None, tmp_path)

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """In the background of a shell Ctrl-C is meant for another."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        each = attempted(None, tmp_path, interrupt=signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

    assert each.status == "passed"
