"""Keras callbacks from a spec, kept inside the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras

from nnrun import keras_objects
from nnrun.check.callbacks import files, is_file
from nnrun.errors import Misfit
from nnrun.spec.component import Component

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
        name: str(folder / value) if is_file(component, name) else value
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


def make_folders(components: Sequence[Component], folder: Path) -> None:
    """Makes the folders inside the run folder that callbacks expect to find."""
    for component in components:
        for value in files(component).values():
            (folder / value).parent.mkdir(parents=True, exist_ok=True)


def _check_package(name: str) -> None:
    module, requirement = _PACKAGES.get(name, ("keras", "keras"))
    if find_spec(module) is None:
        raise ImportError(f"needs a package that is not installed: pip install {requirement}")


def _per_epoch(schedule: Any) -> Any:
    """A learning-rate schedule asked once per epoch, answering with a plain number."""
    return lambda epoch: float(schedule(epoch))
