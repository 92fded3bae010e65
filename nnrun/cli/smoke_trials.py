"""Tries one spec after another in this process, and notes how each went."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnrun.cli import backend, console, tried
from nnrun.cli.interrupts import Interrupts
from nnrun.cli.smoke_watcher import SmokeWatcher
from nnrun.cli.tried import Tried
from nnrun.errors import Misfit, NnrunError, SpecError

if TYPE_CHECKING:
    from nnrun.runs import Run
    from nnrun.spec.loading import Loaded


def try_all(loaded: Sequence[tuple[Loaded, Tried]], keep: Path | None, *, stand_in: bool) -> None:
    """Tries all of them, whatever becomes of each.

    Args:
        loaded: each with what is to be noted of it.
        keep: where the run folders are left; None for nowhere.
        stand_in: whether made-up rows may stand in for files that are not there.

    Raises:
        KeyboardInterrupt: what was noted until then stays.
    """
    with _folder(keep) as root, SmokeWatcher(len(loaded)) as watcher, Interrupts() as interrupts:
        began = time.perf_counter()
        watcher.stage("loading TensorFlow")
        backend.load()
        # Before the first trial, whose seconds would else be those of all.
        from nnrun.smoke.trial import carry_out

        seconds = time.perf_counter() - began
        trials = Trials(root, watcher, stand_in, seconds, carry_out, interrupts)
        for found, each in loaded:
            watcher.began(each.spec)
            try:
                trials.attempt(found, each)
            finally:
                each.path = watcher.path if keep else None
                watcher.ended(each)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="nnrun-smoke-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Trials:
    """What all trials have in common.

    Args:
        root: folder of their runs.
        watcher: is told how they go.
        stand_in: whether made-up rows may stand in for files that are not there.
        import_seconds: spent loading TensorFlow and Keras.
        carry_out: trains and reads back, as `smoke.trial` has it.
        interrupts: entered.
    """

    root: Path
    watcher: SmokeWatcher
    stand_in: bool
    import_seconds: float
    carry_out: Callable[..., Run]
    interrupts: Interrupts

    def attempt(self, loaded: Loaded, each: Tried) -> None:
        """Tries one experiment and notes how it went.

        Raises:
            KeyboardInterrupt: when that is noted.
        """
        began = time.perf_counter()
        each.status = tried.INTERRUPTED
        try:
            each.metrics = self._run(loaded, each, began)
            self.interrupts.raise_again()
            each.status = tried.PASSED
        except Exception as error:  # noqa: BLE001 - the other experiments are tried all the same
            self.interrupts.raise_again()
            self._note(each, error)
        finally:
            each.seconds = time.perf_counter() - began

    def _note(self, each: Tried, error: Exception) -> None:
        if isinstance(error, SpecError):
            each.refuse(error)
            console.print_error(error, self.watcher.console)
            return
        each.status, each.errors = tried.FAILED, (str(error),)
        if not isinstance(error, NnrunError):
            # Ours to mend.
            each.errors, each.trace = (repr(error),), "".join(traceback.format_exception(error))
            self.watcher.console.print(each.trace, markup=False)

    def _run(self, loaded: Loaded, each: Tried, began: float) -> dict[str, Any]:
        """Trains and reads back; returns the metrics."""
        from nnrun import runs
        from nnrun.recording import Origin
        from nnrun.smoke import rows

        origin = Origin(loaded.overrides, began, self.import_seconds)
        try:
            trial = rows.take_in(loaded.experiment, stand_in=self.stand_in)
            each.data = trial.data
            run = self.carry_out(
                trial,
                lambda record: runs.create(self.root, each.name, now=origin.clock(), record=record),
                origin=origin,
                observer=self.watcher,
            )
        except Misfit as misfit:
            fault = loaded.fault(misfit.code, misfit.path, misfit.message)
            raise SpecError((fault,)) from misfit
        return run.metrics()
