"""A run once more, from its folder alone, into another folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nnrun import layout
from nnrun.cli import console, kfold, specs, train
from nnrun.errors import RunError, TrainingError

if TYPE_CHECKING:
    from nnrun.runs import Run
    from nnrun.spec.loading import Loaded
    from nnrun.verification.subject import Subject

# Of what is sent away nothing comes back, and once more it would be there twice.
_SENT_AWAY = "RemoteMonitor"


@contextmanager
def folder(keep: Path | None) -> Iterator[Path]:
    """Where repetitions go: the folder given, else a passing one."""
    if keep:
        yield keep
        return
    with TemporaryDirectory(prefix="nnrun-verify-", ignore_cleanup_errors=True) as passing:
        yield Path(passing)


def repeat(subject: Subject, root: Path, workers: int | None) -> Path:
    """Trains once more what a run says that it trained.

    Args:
        subject: the run; one that failed may fail again.
        root: where the repetition's folder is made.
        workers: as of `nnrun kfold`.

    Returns:
        The folder of the repetition.

    Raises:
        SpecError: the spec of the run cannot be read any more.
        DataError: the data cannot be had.
        TrainingError: the repetition failed, and the run did not.
        RunError: likewise, or the folder of the repetition cannot be written.
        KeyboardInterrupt: it was stopped.
    """
    loaded = _without_what_is_sent(specs.read(subject.run.path / layout.SPEC, subject.overrides))
    name = loaded.experiment.name

    def made(record: dict[str, Any]) -> Run:
        from nnrun import runs

        return runs.create(root, name, now=datetime.now(), record=record)

    said = f"repeating {console.short(subject.run.path)}"
    if subject.has_folds:
        return _cross_validated(subject, loaded, made, workers, said)
    return _trained(subject, loaded, made, said)


def _trained(subject: Subject, loaded: Loaded, made: Any, said: str) -> Path:
    from nnrun.cli.progress import Watcher

    watcher = Watcher(said)
    try:
        train.carry_out(loaded, made, watcher)
    except TrainingError as error:
        # Whether it failed alike shows in its epochs.
        if subject.status != layout.FAILED:
            raise TrainingError(f"the repetition failed: {error}") from error
    assert watcher.path
    return watcher.path


def _cross_validated(
    subject: Subject, loaded: Loaded, made: Any, workers: int | None, said: str
) -> Path:
    from nnrun.cli.lanes import Lanes

    lanes = Lanes(said)
    kfold.carry_out(loaded, made, workers, lanes)
    assert lanes.run
    record = lanes.run.record()
    if record["status"] != layout.FINISHED and subject.status == layout.FINISHED:
        raise RunError(f"the repetition failed: {record['error']}")
    return lanes.run.path


def _without_what_is_sent(loaded: Loaded) -> Loaded:
    training = loaded.experiment.training
    kept = tuple(each for each in training.callbacks if each.name != _SENT_AWAY)
    training = training.model_copy(update={"callbacks": kept})
    return replace(loaded, experiment=loaded.experiment.model_copy(update={"training": training}))
