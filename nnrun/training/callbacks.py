"""Keras callbacks from a spec, kept inside the run folder."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import keras

from nnrun.check.training import better_mode, files, is_file, package_problems
from nnrun.errors import IncompatibleSpec
from nnrun.models.components import instantiate, reason
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.types import Array


def build(components: Sequence[Component], folder: Path) -> list[keras.callbacks.Callback]:
    """The callbacks of a spec, in its order.

    Raises:
        IncompatibleSpec: Keras refuses an argument, or a callback's package is not installed.
    """
    for problem in package_problems(components):
        raise problem
    return [_build(index, component, folder) for index, component in enumerate(components)]


def _build(index: int, component: Component, folder: Path) -> keras.callbacks.Callback:
    arguments = {
        name: str(folder / value) if is_file(component, name) else value
        for name, value in component.arguments.items()
    }
    if component.name == "TensorBoard":
        arguments.setdefault("log_dir", str(folder / "tensorboard"))
    try:
        callback = instantiate("callbacks", Component(name=component.name, arguments=arguments))
    except (TypeError, ValueError, ImportError) as error:
        message = f"{component.name}: {reason(error)}"
        raise IncompatibleSpec("NN114", ("training", "callbacks", index), message) from error
    if isinstance(callback, keras.callbacks.LearningRateScheduler):
        # Keras calls it once per epoch, and refuses a tensor.
        schedule = callback.schedule
        callback.schedule = lambda epoch: float(schedule(epoch))
    if isinstance(callback, (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore)):
        set_model = callback.set_model
        callback.set_model = lambda model: set_model(_AtomicModel(model))
    return callback


class RestoreBest(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Keeps the weights of the best epoch, and restores them when the training ends.

    Args:
        monitor: the metric that selects the epoch.
        highest: whether the highest value is the best.
    """

    def __init__(self, monitor: str, *, highest: bool) -> None:
        super().__init__()
        self._monitor, self._sign = monitor, -1 if highest else 1
        # The names of attributes are those of the state in checkpoints.
        self.lowest = math.inf
        self.weights: list[Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keeps the weights if the epoch is the best so far; NaN never is."""
        value = self._sign * (logs or {})[self._monitor]
        if self.weights is None or value < self.lowest:
            self.lowest = math.inf if math.isnan(value) else value
            self.weights = self.model.get_weights()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Restores the weights."""
        self.model.set_weights(self.weights)


def restore_best(training: Training) -> list[keras.callbacks.Callback]:
    """The callback of `restore: best`, if the spec has it."""
    monitor = training.restored_by
    if monitor is None:
        return []
    return [RestoreBest(monitor, highest=better_mode(monitor, training) == "max")]


class _AtomicModel:
    """A model that saves under a temporary name first, so that a kill leaves no partial file."""

    def __init__(self, model: keras.Model) -> None:
        vars(self)["_model"] = model

    def __getattr__(self, name: str) -> object:
        value = getattr(self._model, name)
        return partial(_save_atomically, value) if name in ("save", "save_weights") else value

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._model, name, value)


def _save_atomically(save: Callable[..., None], filepath: str, **options: object) -> None:
    target = Path(filepath)
    temporary = target.with_name(f".{target.name}")
    try:
        save(str(temporary), **options)
        temporary.replace(target)
    except OSError as error:
        # The error of a failed write does not name the file.
        raise OSError(error.errno, error.strerror or str(error), filepath) from error
    finally:
        # An error while deleting must not hide the error of the write.
        with suppress(OSError):
            temporary.unlink()


def move(
    callbacks: Sequence[keras.callbacks.Callback],
    components: Sequence[Component],
    source: Path,
    target: Path,
) -> list[keras.callbacks.Callback]:
    """Moves the files of callbacks from one folder to another, before they write any."""
    moved = []
    for index, (callback, component) in enumerate(zip(callbacks, components, strict=True)):
        if component.name == "OrbaxCheckpoint":
            # It hands its folder to Orbax as soon as it is made.
            callback = _build(index, component, target)
        for name, value in vars(callback).items():
            if isinstance(value, str) and Path(value).is_relative_to(source):
                setattr(callback, name, str(target / Path(value).relative_to(source)))
        moved.append(callback)
    return moved


def appended_files(components: Sequence[Component]) -> tuple[str, ...]:
    """The files in the run folder to which callbacks append a line per epoch."""
    loggers = (component for component in components if component.name == "CSVLogger")
    return tuple(value for component in loggers for value in files(component).values())


def resume_callbacks(
    callbacks: Sequence[keras.callbacks.Callback], folder: Path, sizes: Mapping[str, int]
) -> None:
    """Prepares callbacks to resume a training.

    Args:
        sizes: of `appended_files` at the end of the last epoch to keep, in bytes.
    """
    for name, size in sizes.items():
        path = folder / name
        # A checkpoint from elsewhere could name any file.
        is_inside = path.resolve().is_relative_to(folder.resolve())
        # A shorter file has lost lines, and zeros would not restore them.
        if is_inside and path.is_file() and path.stat().st_size > size:
            # By its name, so that an error names it.
            os.truncate(path, size)
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.CSVLogger):
            callback.append = True
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            # Its backup is of another epoch than the checkpoint.
            shutil.rmtree(callback.backup_dir, ignore_errors=True)
