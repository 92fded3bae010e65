"""Callbacks that cannot do what they are asked for, found before anything is trained."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePath

from nnrun.errors import Misfit
from nnrun.spec import catalogue
from nnrun.spec.component import Component
from nnrun.spec.training import Training
from nnrun.spec.words import listed

CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")
"""Arguments of an optimizer of which Keras takes one."""


def file_misfits(components: Sequence[Component], own: Collection[str]) -> Iterator[Misfit]:
    """Callbacks that would write over what nnrun itself writes.

    Args:
        components: checked against the catalogue.
        own: names that nnrun keeps for itself in a run folder.
    """
    for index, component in enumerate(components):
        for name, value in files(component).items():
            path = ("training", "callbacks", index, component.name, name)
            if reason := _outside(value, own):
                yield Misfit("NN116", path, reason)
            elif reason := _misnamed(component, value):
                yield Misfit("NN114", path, reason)


def _outside(value: str, own: Collection[str]) -> str | None:
    """Why a callback may not write there."""
    parts = PurePath(value).parts
    if not parts:
        return "is the run folder itself; take a name inside it"
    if parts[0] in own:
        return f"nnrun itself writes '{value}' into the run folder; take another name"
    return None


def _misnamed(component: Component, value: str) -> str | None:
    """What Keras has against the name of a checkpoint."""
    if component.name != "ModelCheckpoint":
        return None
    weights = component.arguments.get("save_weights_only") is True
    suffix = ".weights.h5" if weights else ".keras"
    return None if value.endswith(suffix) else f"must end in '{suffix}', got '{value}'"


def optimizer_misfits(training: Training) -> Iterator[Misfit]:
    """Arguments of the optimizer that exclude each other, or that a callback waits for."""
    given = training.optimizer.arguments
    clipped = [name for name in CLIPS if given.get(name) is not None]
    path: tuple[str | int, ...] = ("training", "optimizer", training.optimizer.name)
    if len(clipped) > 1:
        message = f"{listed(clipped, 'and')} exclude each other; leave one"
        yield Misfit("NN114", (*path, clipped[1]), message)
    for index, component in enumerate(training.callbacks):
        if component.name == "SwapEMAWeights" and given.get("use_ema") is not True:
            message = "SwapEMAWeights needs an optimizer with use_ema: true"
            yield Misfit("NN114", ("training", "callbacks", index), message)


def learning_rate_misfits(training: Training) -> Iterator[Misfit]:
    """Callbacks that set a learning rate which a schedule already decides.

    Keras raises when the callback first acts, which may be hours into a run.
    """
    if not isinstance(training.optimizer.arguments.get("learning_rate"), dict):
        return
    for index, component in enumerate(training.callbacks):
        if component.name in ("ReduceLROnPlateau", "LearningRateScheduler"):
            message = f"{component.name} cannot set the learning rate: the optimizer has a schedule"
            yield Misfit("NN114", ("training", "callbacks", index), message)


def check_monitors(components: Sequence[Component], names: Sequence[str]) -> None:
    """Refuses a callback that waits for a metric nobody reports; Keras would only warn, each epoch.

    Args:
        components: checked against the catalogue.
        names: of what the history will hold.

    Raises:
        Misfit: with the names there are.
    """
    for misfit in monitor_misfits(components, names):
        raise misfit


def monitor_misfits(components: Sequence[Component], names: Sequence[str]) -> Iterator[Misfit]:
    """Callbacks that wait for a metric nobody reports; arguments as above."""
    for index, component in enumerate(components):
        monitor = catalogue.monitor(component)
        if monitor is not None and monitor not in names:
            held_out = any(name.startswith("val_") for name in names)
            hint = "" if held_out else "; `nnrun train` validates by validation.holdout alone"
            yield Misfit(
                "NN125",
                ("training", "callbacks", index),
                f"{component.name} watches '{monitor}', but the history will hold only "
                f"{', '.join(names)}{hint if monitor.startswith('val_') else ''}",
            )


def files(component: Component) -> dict[str, str]:
    """The arguments that name a file or a folder of the run."""
    return {name: value for name, value in component.arguments.items() if is_file(component, name)}


def is_file(component: Component, argument: str) -> bool:
    """Whether an argument names a file or a folder to write to."""
    return catalogue.argument_kind("callbacks", component.name, argument) == "file"
