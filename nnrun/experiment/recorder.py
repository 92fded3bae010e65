"""What a run folder is told, from its first line to its last plot."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from nnrun import plots
from nnrun.data import input_schema, splits
from nnrun.errors import NnrunError, heeding
from nnrun.experiment import predictions
from nnrun.experiment.inputs import PreparedData
from nnrun.experiment.predictions import Predictions
from nnrun.experiment.setup import TrainingSetup
from nnrun.runs import Run, environment, layout
from nnrun.spec.loading import digest, dump
from nnrun.training import checkpoints
from nnrun.training.checkpoints import Checkpoint, CheckpointSchedule
from nnrun.training.compile import puts_out_logits
from nnrun.training.evaluate import probabilities
from nnrun.training.state import State, seeds
from nnrun.types import History, Logs, Observer


@dataclass(frozen=True)
class RunContext:
    """Where an experiment came from.

    Args:
        overrides: as given with `--set`.
        began: when work on it began, by `time.perf_counter`.
        import_seconds: spent loading TensorFlow and Keras.
        clock: tells the local time.
        heed: raises KeyboardInterrupt where a signal came that was lost on its way.
    """

    overrides: tuple[str, ...]
    began: float
    import_seconds: float
    clock: Callable[[], datetime] = datetime.now
    heed: Callable[[], None] = lambda: None


@dataclass
class Recorder:
    """Passes on what happens, and writes each epoch down as it ends.

    Args:
        growing: files in the run folder that callbacks add to.
        start: the checkpoint from which the run goes on, if it does.
        before: seconds spent on the run until then.
    """

    run: Run
    observer: Observer
    context: RunContext
    growing: Sequence[str] = ()
    start: Checkpoint | None = None
    before: float = 0.0
    history: History = field(default_factory=History)
    epoch_seconds: list[float] = field(default_factory=list)
    rhythm: CheckpointSchedule = field(default_factory=CheckpointSchedule)

    def begin(self) -> None:
        """Finds the checkpoint to go on from, and lets the table of epochs end with it.

        Raises:
            RunError: the folder cannot be written.
        """
        self.start, damaged = checkpoints.latest(self.run)
        for sentence in damaged:
            self.notice(sentence)
        if self.start:
            self.history = History({**self.start.history.epochs})
            self.epoch_seconds = [*self.start.epoch_seconds]
            self.before = self.start.seconds
            self.notice(f"going on after epoch {len(self.history)}")
        elif (self.run.path / layout.JOURNAL).exists():
            self.notice("going on from the beginning, as there is no checkpoint")
        # A damaged one would stay there as if the table had lost epochs.
        checkpoints.forget(self.run, after=len(self.history))
        self.run.begin_journal(self.history)

    def reached(self, capture: Callable[[], State]) -> None:
        """Keeps what training has reached, if it is time to."""
        self.context.heed()
        if self.rhythm.is_due:
            with self.rhythm.measured():
                self.keep_checkpoint(capture())

    def keep_checkpoint(self, state: State) -> None:
        """Writes a checkpoint.

        Raises:
            RunError: the disk is full, or the folder is gone or may not be written.
        """
        seconds = self.before + time.perf_counter() - self.context.began
        grown = checkpoints.grown(self.run, self.growing)
        checkpoint = Checkpoint(state, self.history, tuple(self.epoch_seconds), seconds, grown)
        # Whatever happens to the machine, the table of epochs reaches as far as a checkpoint.
        self.run.settled(layout.JOURNAL)
        checkpoints.write(self.run, checkpoint)

    def stage(self, text: str) -> None:
        """Passes it on."""
        self.observer.stage(text)

    def run_began(self, path: Path) -> None:
        """Passes it on."""
        self.observer.run_began(path)

    def notice(self, text: str) -> None:
        """Passes it on."""
        self.observer.notice(text)

    def epoch_began(self, epoch: int, epochs: int, steps: int) -> None:
        """Passes it on."""
        self.observer.epoch_began(epoch, epochs, steps)

    def steps_done(self, step: int) -> None:
        """Passes it on."""
        self.observer.steps_done(step)

    def epoch_ended(self, epoch: int, logs: Logs, seconds: float) -> None:
        """Writes the epoch into the journal, so that a kill loses none.

        An interrupt may cut this off; the epoch is told again then, as if never before.
        """
        self.history.cut(epoch)
        del self.epoch_seconds[epoch:]
        self.history.append(logs)
        self.epoch_seconds.append(seconds)
        self.run.append_epoch(self.history)
        self.observer.epoch_ended(epoch, logs, seconds)

    def seconds(self, setup: TrainingSetup) -> dict[str, float]:
        """Where the time went, in seconds."""
        spent = {
            "total": self.before + time.perf_counter() - self.context.began,
            "import": self.context.import_seconds,
            "data": setup.prepared.seconds,
            "build": setup.seconds,
            "training": sum(self.epoch_seconds),
            "epoch_median": statistics.median(self.epoch_seconds or [0.0]),
        }
        return {name: round(value, 4) for name, value in spent.items()}


def first_record(setup: TrainingSetup, context: RunContext) -> dict[str, Any]:
    """What `run.json` says from the start."""
    prepared, fold = setup.prepared, setup.prepared.fold
    return {
        "verb": "kfold" if fold.number else "train",
        **({"fold": fold.number} if fold.number else {}),
        "seed": prepared.seed,
        "epochs": prepared.spec.training.epochs,
        "spec_digest": digest(prepared.spec),
        "overrides": list(context.overrides),
        "engine": setup.engine,
        "device": setup.device,
        "data_digest": prepared.digest,
        "split_digest": splits.digest([fold]),
        "rows": {
            "train": len(fold.train),
            "validation": len(fold.validation),
            "test": 0 if fold.number else len(prepared.dataset.test),
        },
        "notices": list(prepared.notices),
        "parameters": setup.model.count_params(),
        **environment.describe(),
    }


def describe(run: Run, setup: TrainingSetup) -> None:
    """Writes what is known before the first epoch: spec, summary, fitted preparation."""
    run.write_text(layout.SPEC, dump(setup.prepared.spec))
    run.write_text(layout.SUMMARY, setup.summary)
    run.write_json(layout.PREPARATION, describe_preparation(setup.prepared))
    if setup.prepared.dataset.words:
        run.write_json(layout.WORDS, asdict(setup.prepared.dataset.words()))
    run.update()


def describe_preparation(prepared: PreparedData) -> dict[str, Any]:
    """What `prepare.json` says: the fitted steps, and what they make of a row."""
    preparation = prepared.preparation
    steps = [
        {
            "step": fitted.step.model_dump(),
            "shape": fitted.shape,
            "state": {name: value.tolist() for name, value in fitted.state.items()},
        }
        for fitted in preparation.steps
    ]
    shape = {"shape": list(preparation.shape), "dtype": preparation.dtype}
    rows = asdict(input_schema.of(prepared.dataset))
    return {**shape, "classes": prepared.dataset.classes, "rows": rows, "steps": steps}


@contextmanager
def kept(recorder: Recorder, setup: TrainingSetup) -> Iterator[None]:
    """Whatever ends the run, its folder says so and keeps the epochs trained so far."""
    run = recorder.run

    def close(status: str, error: str | None = None) -> None:
        now = recorder.context.clock()
        run.update(status=status, ended=now.isoformat(timespec="seconds"), error=error)

    try:
        with heeding(recorder.context.heed):
            yield
        close(layout.FINISHED)
    except KeyboardInterrupt as interrupt:
        # The status comes first: a second Ctrl-C ends at once, and what there is must not look lost.
        close(layout.INTERRUPTED)
        try:
            run.write(layout.MODEL, setup.model.save)
            keep(recorder, setup)
            run.update()
        except ValueError:
            # That second one, where it fell into the part of matplotlib that is not Python.
            raise interrupt from None
        raise
    except Exception as error:
        # What stopped it must not be buried under what stops this, which may well be the same.
        with suppress(NnrunError):
            close(layout.FAILED, str(error) if isinstance(error, NnrunError) else repr(error))
            keep(recorder, setup)
            run.update()
        raise
    else:
        # Only now: a kill before would have had to go on from it.
        checkpoints.clear(run)
    finally:
        run.release()


def keep(recorder: Recorder, setup: TrainingSetup, **evaluations: Any) -> None:
    """Writes history, curves and metrics of the epochs there are."""
    # Read back, because Ctrl-C may have come between the two metrics of an epoch.
    run, history = recorder.run, recorder.run.history()
    if not len(history):
        return
    best = history.best_epoch
    run.end_journal()
    run.write_json(layout.HISTORY, history.epochs)
    run.write_json(
        layout.METRICS,
        {
            "schema_version": layout.SCHEMA_VERSION,
            "epochs": len(history),
            "monitor": history.monitor,
            "best_epoch": best,
            "initial": setup.initial,
            "last": history.row(len(history) - 1),
            "best": history.row(best - 1) if best else {},
            **evaluations,
            "parameters": setup.model.count_params(),
            "seconds": recorder.seconds(setup),
        },
    )
    for metric in history.epochs:
        if not metric.startswith("val_"):
            run.write_figure(metric, plots.curve(history, metric, best_epoch=best))


def finish(recorder: Recorder, setup: TrainingSetup) -> None:
    """Evaluates the trained model and writes all that depends on it."""
    recorder.stage("testing")
    run, prepared, evaluator = recorder.run, setup.prepared, setup.evaluator
    evaluations = {"train": evaluator.metrics(setup.train, prepared.fold.train)}
    if len(prepared.fold.validation):
        evaluations["validation"] = evaluator.metrics(setup.train, prepared.fold.validation)
    split, rows = prepared.scored
    if setup.test is not None:
        evaluations["test"] = evaluator.metrics(setup.test, rows)
    output = evaluator.outputs(setup.test or setup.train, rows)
    output = probabilities(output) if puts_out_logits(prepared.spec.training) else output
    run.write(layout.MODEL, setup.model.save)
    run.update(layer_seeds=[each.numpy().tolist() for each in seeds(setup.model)])
    recorder.stage("drawing")
    predictions.write(
        run, Predictions(prepared.dataset, split, rows, output), prepared.spec.training
    )
    keep(recorder, setup, **evaluations)
    # The folds of a cross-validation share one, which stands in the folder above theirs.
    if run.record()["verb"] != "kfold":
        run.write_drawing("model", plots.model(setup.structure))
