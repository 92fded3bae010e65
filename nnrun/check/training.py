"""Errors in callbacks, optimizers, class weights and gates; metric names that a run reports."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePath

from nnrun.check.user_data import quote_path
from nnrun.errors import IncompatibleSpec
from nnrun.spec import catalogue, labels
from nnrun.spec.code import is_own
from nnrun.spec.component import (
    APPLICATION,
    Component,
    count_layers,
    layer_names,
    matches,
    walk_layers,
)
from nnrun.spec.dataset import UserData
from nnrun.spec.experiment import Experiment
from nnrun.spec.profile import path_exists
from nnrun.spec.suggest import known_names, nearest
from nnrun.spec.text import join_words, quote
from nnrun.spec.training import ClassWeight, FrozenPart, Stage, Training
from nnrun.spec.tree import KeyPath, Problem

CALLBACKS = ("training", "callbacks")
CLASS_WEIGHT = ("training", "class_weight")
# Arguments of an optimizer that exclude each other.
CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")
# Gates that are not metrics.
RUN_FACTS = ("seconds", "epochs", "best_epoch", "parameters", "model_bytes")


# Packages that some callbacks import only when called, with the name to install.
_PACKAGES = {
    "OrbaxCheckpoint": ("orbax", "orbax-checkpoint"),
    "RemoteMonitor": ("requests", "requests"),
    "TensorBoard": ("tensorboard", "'nnrun[tensorboard]'"),
}


def package_problems(callbacks: Sequence[Component]) -> Iterator[IncompatibleSpec]:
    """Callbacks whose package is not installed."""
    for index, callback in enumerate(callbacks):
        if callback.name not in _PACKAGES:
            continue
        module, requirement = _PACKAGES[callback.name]
        if find_spec(module) is None:
            reason = f"needs a package that is not installed: pip install {requirement}"
            yield IncompatibleSpec("NN114", (*CALLBACKS, index), f"{callback.name}: {reason}")


def file_problems(
    callbacks: Sequence[Component], own: Collection[str]
) -> Iterator[IncompatibleSpec]:
    """Callbacks that would overwrite files of nnrun, or write a file name that Keras refuses.

    Args:
        callbacks: of the spec.
        own: file names that nnrun itself uses in a run folder.
    """
    for index, callback in enumerate(callbacks):
        for name, value in files(callback).items():
            path, parts = (*CALLBACKS, index, callback.name, name), PurePath(value).parts
            if not parts:
                message = "is the run folder itself; take a name inside it"
                yield IncompatibleSpec("NN116", path, message)
            elif parts[0] in own:
                message = f"nnrun itself writes '{value}' into the run folder; take another name"
                yield IncompatibleSpec("NN116", path, message)
            elif callback.name == "ModelCheckpoint":
                weights_only = callback.arguments.get("save_weights_only") is True
                suffix = ".weights.h5" if weights_only else ".keras"
                if not value.endswith(suffix):
                    message = f"must end in '{suffix}', got '{value}'"
                    yield IncompatibleSpec("NN114", path, message)


def files(callback: Component) -> dict[str, str]:
    """The arguments that name a file or folder to write to."""
    return {name: value for name, value in callback.arguments.items() if is_file(callback, name)}


def is_file(callback: Component, argument: str) -> bool:
    """Whether an argument names a file or folder to write to."""
    return catalogue.argument_kind("callbacks", callback.name, argument) == "file"


def optimizer_problems(training: Training) -> Iterator[IncompatibleSpec]:
    """Optimizer arguments that exclude each other, or conflict with a callback.

    Keras refuses a callback that changes a scheduled learning rate only when it first acts, maybe
    after hours.
    """
    optimizers: dict[KeyPath, Component] = {
        ("training", "optimizer"): training.optimizer,
        **{
            ("training", "stages", number, "optimizer"): stage.optimizer
            for number, stage in enumerate(training.stages)
            if stage.optimizer
        },
    }
    for path, optimizer in optimizers.items():
        clips = [name for name in CLIPS if optimizer.arguments.get(name) is not None]
        if len(clips) > 1:
            message = f"{join_words(clips, 'and')} exclude each other; leave one"
            yield IncompatibleSpec("NN114", (*path, optimizer.name, clips[1]), message)
    given = optimizers.values()
    scheduled = any(isinstance(each.arguments.get("learning_rate"), dict) for each in given)
    averages = any(each.arguments.get("use_ema") is True for each in given)
    for index, callback in enumerate(training.callbacks):
        if callback.name == "SwapEMAWeights" and not averages:
            message = "SwapEMAWeights needs an optimizer with use_ema: true"
            yield IncompatibleSpec("NN114", (*CALLBACKS, index), message)
        if callback.name in ("ReduceLROnPlateau", "LearningRateScheduler") and scheduled:
            message = f"{callback.name} cannot set the learning rate: the optimizer has a schedule"
            yield IncompatibleSpec("NN114", (*CALLBACKS, index), message)


def freeze_problems(spec: Experiment) -> Iterator[IncompatibleSpec]:
    """Layers to freeze that the model does not have, or that have no layers inside."""
    for number, stage in enumerate(spec.training.stages):
        for position, (pattern, part) in enumerate(stage.frozen.items()):
            path = ("training", "stages", number, "freeze", position)
            if message := unknown_layer(pattern, spec):
                yield IncompatibleSpec("NN104", path, message)
            elif part != FrozenPart() and not any(
                matches(pattern, {*layer_names(layer), *_keras_names(layer, 1)})
                for layer in walk_layers([*spec.model])
                if layer.name == APPLICATION
            ):
                message = f"{pattern} has no layers inside; freeze part of an Application, or list "
                yield IncompatibleSpec("NN104", path, f"{message}layers by name")


def weights_problems(spec: Experiment) -> Iterator[IncompatibleSpec]:
    """Weights to begin with that are not there, or for layers that the model does not have."""
    weights = spec.training.weights
    for key in ("run", "vectors"):
        if (value := getattr(weights, key)) and not path_exists(Path(value)):
            message = f"{quote_path(Path(value))} is not there"
            yield IncompatibleSpec("NN127", ("training", "weights", key), message)
    for index, pattern in enumerate(weights.layers):
        if message := unknown_layer(pattern, spec):
            yield IncompatibleSpec("NN104", ("training", "weights", "layers", index), message)


def unknown_layer(pattern: str, spec: Experiment) -> str:
    """Why no layer of the model has a name or matches a pattern; empty if one may."""
    layers, count = [*walk_layers([*spec.model])], count_layers(_plain(spec.model))
    names = sorted({name for layer in layers for name in layer_names(layer)} - {"Block", "from"})
    known = {name for layer in layers for name in _keras_names(layer, count)}
    if matches(pattern, {*names, *known}):
        return ""
    return f"the model has no layer {quote(pattern)}; {known_names(pattern, names)}"


def _plain(model: Sequence[Component]) -> list[object]:
    return [{layer.name: layer.arguments} for layer in model]


def _keras_names(layer: Component, count: int) -> Iterator[str]:
    """Names that Keras may give to a layer of a model with some layers, such as `conv2d_1`."""
    if layer.name == APPLICATION:
        yield str(layer.arguments.get("name")).lower()
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", layer.name)
    name = re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
    yield name
    yield from (f"{name}_{number}" for number in range(1, count))


def with_steps(training: Training, rows: int) -> Training:
    """The training with its schedules in steps, where the spec has them in epochs.

    Args:
        rows: that are trained on.
    """

    def steps(stage: int) -> int:
        return -(-rows // min(rows, training.batch_size_of(stage)))

    def converted(stage: Stage, number: int) -> Stage:
        given = stage.optimizer or training.optimizer
        optimizer = _in_steps(given, "learning_rate", steps(number))
        same = optimizer is given
        return stage if same else stage.model_copy(update={"optimizer": optimizer})

    # `LearningRateScheduler` counts epochs as its steps.
    callbacks = tuple(_in_steps(callback, "schedule", 1) for callback in training.callbacks)
    stages = tuple(converted(stage, number) for number, stage in enumerate(training.stages))
    optimizer = _in_steps(training.optimizer, "learning_rate", steps(0))
    changes = {"optimizer": optimizer, "stages": stages, "callbacks": callbacks}
    return training.model_copy(update=changes)


def _in_steps(component: Component, argument: str, steps: int) -> Component:
    """A component whose schedule, if it has one, counts steps."""
    schedule = component.arguments.get(argument)
    if not isinstance(schedule, dict):
        return component
    [(name, given)] = schedule.items()
    by_epochs = {epochs: counted for counted, epochs in catalogue.EPOCHS.items()}
    if not isinstance(given, dict) or by_epochs.keys().isdisjoint(given):
        return component
    arguments = {
        by_epochs.get(key, key): _count(value, steps) if key in by_epochs else value
        for key, value in given.items()
    }
    changed = {**component.arguments, argument: {name: arguments}}
    return component.model_copy(update={"arguments": changed})


def _count(epochs: object, steps: int) -> object:
    if isinstance(epochs, list):
        return [_count(value, steps) for value in epochs]
    return round(epochs * steps) if isinstance(epochs, (int, float)) else epochs


def schedule_notes(training: Training, rows: int) -> Iterator[str]:
    """How the schedules count, for a number of rows that are trained on."""
    counted = with_steps(training, rows)
    stages = zip(training.stages, counted.stages, strict=True)
    pairs = [(stage.optimizer or training.optimizer, new.optimizer) for stage, new in stages]
    for given, optimizer in pairs or [(training.optimizer, counted.optimizer)]:
        if optimizer is None or given == optimizer:
            continue
        [(name, before)] = given.arguments["learning_rate"].items()
        after = optimizer.arguments["learning_rate"][name]
        for key, epochs in catalogue.EPOCHS.items():
            if epochs in before:
                count = f"{key}: {after[key]}, with {rows:,} training rows"
                yield f"{name}: {epochs}: {before[epochs]} is {count}"


def check_monitors(training: Training, names: Sequence[str]) -> None:
    """Refuses callbacks that monitor an unknown metric; Keras would only warn in each epoch.

    Args:
        training: with the callbacks, and maybe the best epoch to restore.
        names: the metrics of the history.

    Raises:
        IncompatibleSpec: with the known names.
    """
    for problem in _monitor_problems(training, names):
        raise problem


def monitor_problems(spec: Experiment) -> Iterator[IncompatibleSpec]:
    """Callbacks that monitor a metric that no epoch reports."""
    monitors = [monitor for _, _, monitor in _monitors(spec.training)]
    possible = [name for name in monitors if _may_be_logged(name, spec)]
    names = ["loss", *map(_expected_name, spec.training.metrics)]
    validation = [f"val_{name}" for name in names if validated(spec)]
    return _monitor_problems(spec.training, [*names, *validation], possible)


def _monitors(training: Training) -> Iterator[tuple[KeyPath, str, str]]:
    """What chooses by a metric: its path, its name, and the metric."""
    for index, callback in enumerate(training.callbacks):
        if monitor := catalogue.monitored_metric(callback):
            yield (*CALLBACKS, index), callback.name, monitor
    if training.restored_by:
        yield ("training", "restore"), "restore: best", training.restored_by


def _monitor_problems(
    training: Training, names: Sequence[str], possible: Collection[str] = ()
) -> Iterator[IncompatibleSpec]:
    for path, name, monitor in _monitors(training):
        if monitor in names or monitor in possible:
            continue
        message = f"{name} watches '{monitor}', but the history will hold only {', '.join(names)}"
        if monitor.startswith("val_") and not any(name.startswith("val_") for name in names):
            message += "; `nnrun train` validates by validation.holdout alone"
        yield IncompatibleSpec("NN125", path, message)


def better_mode(monitor: str, training: Training) -> str | None:
    """`min` or `max`, whichever value of a metric is better; None if unknown."""
    name = monitor.removeprefix("val_")
    if name == "loss":
        loss = catalogue.canonical_name("losses", training.loss.name)
        return None if labels.improves_upwards(loss) else "min"
    for metric in training.metrics:
        if {name, re.sub(r"_\d+\Z", "", name)} & {*labels.logged_names(metric)}:
            canonical = catalogue.canonical_name("metrics", metric.name)
            return "max" if labels.improves_upwards(canonical) else "min"
    return None


def with_modes(training: Training) -> list[Component]:
    """The callbacks, with a mode where Keras cannot tell which values of a metric are better."""
    callbacks = []
    for callback in training.callbacks:
        monitor = catalogue.monitored_metric(callback)
        mode = better_mode(monitor, training) if monitor else None
        accepted = catalogue.arguments("callbacks", callback.name)
        if mode and "mode" in accepted and callback.arguments.get("mode", "auto") == "auto":
            arguments = {**callback.arguments, "mode": mode}
            callbacks.append(Component(name=callback.name, arguments=arguments))
        else:
            callbacks.append(callback)
    return callbacks


def class_weight_problems(
    weight: ClassWeight | None, classes: Sequence[object]
) -> Iterator[IncompatibleSpec]:
    """Class weights for classes that do not exist.

    Args:
        weight: as in the spec.
        classes: their names, or a range of numbers before the data are read; empty for regression.
    """
    if weight is not None and not classes:
        message = "needs one class per row; leave it out"
        yield IncompatibleSpec("NN122", CLASS_WEIGHT, message)
    elif isinstance(weight, dict):
        for name in weight:
            if message := _unknown_class(name, classes):
                yield IncompatibleSpec("NN122", CLASS_WEIGHT, message)


def positive_problems(
    positive: str | None, classes: Sequence[object]
) -> Iterator[IncompatibleSpec]:
    """A positive class that does not exist, or that is not one of two; `classes` as above."""
    if positive is None:
        return
    message = _unknown_class(positive, classes)
    if len(classes) != 2:
        found = f"there are {len(classes)}" if classes else "a row does not have one class"
        message = f"chooses one of two classes, but {found}"
    if message:
        yield IncompatibleSpec("NN122", ("dataset", "positive"), message)


def number(name: str, classes: Sequence[object]) -> int | None:
    """The number of a class, given its name, or its number where no class has a number as name."""
    if name in classes:
        return classes.index(name)
    if labels.are_numbers(classes):
        return None
    number = int(name) if name.isdecimal() else -1
    return number if 0 <= number < len(classes) else None


def _unknown_class(name: str, classes: Sequence[object]) -> str:
    """Why there is no such class; empty if there is one, or may be one before the rows are read."""
    may_exist = isinstance(classes, range) and not name.isdecimal()
    if may_exist or number(name, classes) is not None:
        return ""
    if name.isdecimal() and not labels.are_numbers(classes):
        return f"there is no class {name}; they are numbered from 0 to {len(classes) - 1}"
    names = [str(known) for known in classes]
    return f"there is no class {quote(name)}; {known_names(name, names)}"


def validated(spec: Experiment) -> bool:
    """Whether there are validation rows."""
    rules = spec.validation.holdout, spec.validation.kfold
    return any(rule is not None for rule in rules) or spec.dataset.names_validation


def _expected_name(metric: Component) -> str:
    name = metric.arguments.get("name")
    if name or catalogue.canonical_name("metrics", metric.name) != metric.name:
        return str(name or metric.name)
    accepted = catalogue.arguments("metrics", metric.name)
    default = accepted["name"].default if "name" in accepted else None
    return str(default or labels.logged_names(metric)[-1])


def _may_be_metric(name: str, spec: Experiment) -> bool:
    """Whether Keras may give a name to the loss or to a metric; it numbers equal names.

    The user's own metrics may have any name.
    """
    if any(is_own(metric.name) for metric in spec.training.metrics):
        return True
    names = {name for metric in spec.training.metrics for name in labels.logged_names(metric)}
    return bool({name, re.sub(r"_\d+\Z", "", name)} & {"loss", *names})


def _may_be_logged(name: str, spec: Experiment) -> bool:
    """Whether an epoch may report a name."""
    validation = name.startswith("val_")
    return _may_be_metric(name.removeprefix("val_"), spec) and (validated(spec) or not validation)


def gate_problems(spec: Experiment) -> Iterator[Problem]:
    """Gates for names that no run of the spec reports."""
    names = gates(spec)
    for name in spec.expect:
        if name in RUN_FACTS:
            continue
        of_tests = [f"test_{test}_" for test in _test_sets(spec)]
        if prefix := next((p for p in [*of_tests, "test_"] if name.startswith(p)), ""):
            reported = _may_be_metric(name.removeprefix(prefix), spec)
        elif name.startswith("ensemble_") and spec.validation.kfold:
            reported = _may_be_metric(name.removeprefix("ensemble_"), spec)
        else:
            reported = _may_be_logged(re.sub(r"\A(best_|last_)", "", name), spec)
        if not reported:
            message = f"no run reports {name!r}; there is {join_words(names[:8], 'and')}, and more"
            yield Problem("NN119", ("expect", name), message, nearest(name, names), key=True)


def _test_sets(spec: Experiment) -> list[str]:
    """The names of several test sets."""
    dataset = spec.dataset
    return [name for name in dataset.test_files if name] if isinstance(dataset, UserData) else []


def gates(spec: Experiment) -> list[str]:
    """The names that a gate may have."""
    training = ["loss", *map(_expected_name, spec.training.metrics)]
    validation = [f"val_{name}" for name in training if validated(spec)]
    logged = (*validation, *training)
    return [
        *(f"test_{name}" for name in training),
        *(f"test_{test}_{name}" for test in _test_sets(spec) for name in training),
        *(f"ensemble_{name}" for name in training if spec.validation.kfold),
        *logged,
        *RUN_FACTS,
        *(f"best_{name}" for name in logged),
        *(f"last_{name}" for name in logged),
    ]
