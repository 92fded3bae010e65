"""Keras callbacks from a spec, kept inside the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from nnrun import keras_objects
from nnrun.errors import Misfit
from nnrun.spec import catalogue
from nnrun.spec.component import Component

# Arguments that name a file or a folder; a relative one is meant inside the run folder.
_PATHS = ("filename", "filepath", "log_dir", "backup_dir", "directory")


def build(components: Sequence[Component], folder: Path) -> list[keras.callbacks.Callback]:
    """The callbacks of a spec, in its order.

    Args:
        components: checked against the catalogue.
        folder: the run folder.

    Raises:
        Misfit: Keras refuses an argument.
    """
    return [_built(index, component, folder) for index, component in enumerate(components)]


def _built(index: int, component: Component, folder: Path) -> Any:
    arguments = {
        name: str(folder / value) if name in _PATHS else value
        for name, value in component.arguments.items()
    }
    if component.name == "TensorBoard":
        arguments.setdefault("log_dir", str(folder / "tensorboard"))
    try:
        callback = keras_objects.build(
            "callbacks", Component(name=component.name, arguments=arguments)
        )
    except (TypeError, ValueError, ImportError) as error:
        message = f"{component.name}: {keras_objects.reason(error)}"
        raise Misfit("NN114", ("training", "callbacks", index), message) from error
    if isinstance(callback, keras.callbacks.LearningRateScheduler):
        callback.schedule = _per_epoch(callback.schedule)
    return callback


def check_monitors(components: Sequence[Component], names: Sequence[str]) -> None:
    """Refuses a callback that waits for a metric nobody reports; Keras would only warn, each epoch.

    Args:
        components: checked against the catalogue.
        names: of what the history will hold.

    Raises:
        Misfit: with the names there are.
    """
    for index, component in enumerate(components):
        monitor = _monitor(component)
        if monitor is not None and monitor not in names:
            raise Misfit(
                "NN125",
                ("training", "callbacks", index),
                f"{component.name} watches '{monitor}', but the history will hold only "
                f"{', '.join(names)}",
            )


def _monitor(component: Component) -> str | None:
    """What a callback watches, said or by default; None where it watches nothing."""
    accepted = catalogue.arguments("callbacks", component.name)
    if "monitor" not in accepted:
        return None
    if "save_best_only" in accepted and not component.arguments.get("save_best_only"):
        return None
    return str(component.arguments.get("monitor", accepted["monitor"].default))


def _per_epoch(schedule: Any) -> Any:
    """A learning-rate schedule asked once per epoch, answering with a plain number."""
    return lambda epoch: float(schedule(epoch))
