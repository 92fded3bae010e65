"""Keras callbacks from a spec, kept inside the run folder."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any

import keras

from nnrun import keras_objects
from nnrun.errors import Misfit
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.training import Training

# What some callbacks import only once they are called: the module, and what installs it.
_PACKAGES = {
    "OrbaxCheckpoint": ("orbax", "orbax-checkpoint"),
    "RemoteMonitor": ("requests", "requests"),
    "TensorBoard": ("tensorboard", "'nnrun[tensorboard]'"),
}


def build(components: Sequence[Component], folder: Path) -> list[keras.callbacks.Callback]:
    """The callbacks of a spec, in its order.

    Args:
        components: checked against the catalogue.
        folder: the run folder.

    Raises:
        Misfit: Keras refuses an argument, or a callback's package is not installed.
    """
    return [_built(index, component, folder) for index, component in enumerate(components)]


def _built(index: int, component: Component, folder: Path) -> Any:
    arguments = {
        name: str(folder / value) if _is_file(component, name) else value
        for name, value in component.arguments.items()
    }
    if component.name == "TensorBoard":
        arguments.setdefault("log_dir", str(folder / "tensorboard"))
    try:
        _check_package(component.name)
        callback = keras_objects.build(
            "callbacks", Component(name=component.name, arguments=arguments)
        )
    except (TypeError, ValueError, ImportError) as error:
        message = f"{component.name}: {keras_objects.reason(error)}"
        raise Misfit("NN114", ("training", "callbacks", index), message) from error
    if isinstance(callback, keras.callbacks.LearningRateScheduler):
        callback.schedule = _per_epoch(callback.schedule)
    return callback


def check_files(components: Sequence[Component], own: Collection[str]) -> None:
    """Refuses a callback that would write over what nnrun itself writes.

    Args:
        components: checked against the catalogue.
        own: names that nnrun keeps for itself in a run folder.

    Raises:
        Misfit: with the place.
    """
    for index, component in enumerate(components):
        for name, value in _files(component).items():
            if PurePath(value).parts[0] in own:
                path = ("training", "callbacks", index, component.name, name)
                message = f"nnrun itself writes '{value}' into the run folder; take another name"
                raise Misfit("NN116", path, message)


def check_learning_rate(training: Training) -> None:
    """Refuses a callback that sets a learning rate which a schedule already decides.

    Keras raises when the callback first acts, which may be hours into a run.

    Raises:
        Misfit: with the place of the callback.
    """
    if not isinstance(training.optimizer.arguments.get("learning_rate"), dict):
        return
    for index, component in enumerate(training.callbacks):
        if component.name in ("ReduceLROnPlateau", "LearningRateScheduler"):
            message = f"{component.name} cannot set the learning rate: the optimizer has a schedule"
            raise Misfit("NN114", ("training", "callbacks", index), message)


def make_folders(components: Sequence[Component], folder: Path) -> None:
    """Makes the folders inside the run folder that callbacks expect to find."""
    for component in components:
        for value in _files(component).values():
            (folder / value).parent.mkdir(parents=True, exist_ok=True)


def _files(component: Component) -> dict[str, str]:
    """The arguments that name a file or a folder of the run."""
    return {name: value for name, value in component.arguments.items() if _is_file(component, name)}


def _is_file(component: Component, argument: str) -> bool:
    return catalogue.argument_kind("callbacks", component.name, argument) == "file"


def _check_package(name: str) -> None:
    module, requirement = _PACKAGES.get(name, ("keras", "keras"))
    if find_spec(module) is None:
        raise ImportError(f"needs a package that is not installed: pip install {requirement}")


def check_monitors(components: Sequence[Component], names: Sequence[str]) -> None:
    """Refuses a callback that waits for a metric nobody reports; Keras would only warn, each epoch.

    Args:
        components: checked against the catalogue.
        names: of what the history will hold.

    Raises:
        Misfit: with the names there are.
    """
    for index, component in enumerate(components):
        monitor = catalogue.monitor(component)
        if monitor is not None and monitor not in names:
            raise Misfit(
                "NN125",
                ("training", "callbacks", index),
                f"{component.name} watches '{monitor}', but the history will hold only "
                f"{', '.join(names)}",
            )


def _per_epoch(schedule: Any) -> Any:
    """A learning-rate schedule asked once per epoch, answering with a plain number."""
    return lambda epoch: float(schedule(epoch))
