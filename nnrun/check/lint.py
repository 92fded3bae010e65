"""Warnings: what runs, but seldom does what a person wants. A rule is a function under its code."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import starmap

from nnrun.check import model
from nnrun.check import user_data
from nnrun.check.subject import SpecContext
from nnrun.check.subject import trained_on
from nnrun.check.training import validated
from nnrun.spec import catalogue
from nnrun.spec import component
from nnrun.spec import labels
from nnrun.spec.component import Component
from nnrun.spec.experiment import Experiment
from nnrun.spec.tree import KeyPath
from nnrun.spec.tree import Problem

# Warnings about the layers, and about rows and layers together.

# Layers that bring their input to a size of about 1.
NORMALIZING = frozenset(
    "Normalization BatchNormalization LayerNormalization GroupNormalization "
    "RMSNormalization UnitNormalization".split()
)
# Layers with weights; where BatchNormalization follows them, the size of what comes in is lost.
LINEAR_LAYERS = frozenset("Dense Conv1D Conv2D SeparableConv2D DepthwiseConv2D".split())
# Pixels up to here are of a size that weights are made for.
LARGE = 5.0
# Layers that hand values on as large as they come.
PASSING = frozenset(
    "Flatten Reshape Permute RepeatVector Identity Resizing CenterCrop ZeroPadding1D ZeroPadding2D "
    "Cropping1D Cropping2D MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D "
    "RandomFlip RandomRotation RandomZoom RandomTranslation RandomCrop RandomContrast "
    "RandomBrightness Dropout AlphaDropout GaussianDropout GaussianNoise SpatialDropout1D "
    "SpatialDropout2D".split()
)
DROPOUTS = frozenset("Dropout AlphaDropout GaussianDropout GaussianNoise".split())
# Activations that give probabilities, or numbers between two borders.
PROBABLE = frozenset("softmax sigmoid hard_sigmoid sparsemax".split())
BOUNDED = PROBABLE | frozenset("tanh hard_tanh softsign".split())
LINEAR = frozenset((None, "linear"))
ACTIVATIONS = {"Softmax": "softmax", "ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu"}
# Metrics that compare the output with borders between 0 and 1, or take it for a probability.
PROBABILITY_METRICS = frozenset(
    "AUC Precision Recall BinaryAccuracy TruePositives TrueNegatives FalsePositives FalseNegatives "
    "PrecisionAtRecall RecallAtPrecision SensitivityAtSpecificity SpecificityAtSensitivity "
    "BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy".split()
)
# So many classes for each unit of a hidden layer are too many.
CROWDED = 4


def output_activation(model: Sequence[Component]) -> tuple[int, str | None] | None:
    """The layer that decides what the output looks like, and its activation.

    None where the last layer is one whose output nothing is known of.
    """
    for index in range(len(model) - 1, -1, -1):
        layer = model[index]
        if layer.name in ACTIVATIONS:
            return index, ACTIVATIONS[layer.name]
        if layer.name in ("Dense", "Activation"):
            activation = layer.arguments.get("activation")
            return (
                (index, activation) if activation is None or isinstance(activation, str) else None
            )
        if layer.name not in DROPOUTS and layer.name not in PASSING:
            return None
    return None


def logits_for_a_loss_of_probabilities(about: SpecContext) -> Iterator[Problem]:
    """NN201."""
    training, output = about.spec.training, output_activation(about.spec.model)
    if output is None or training.loss.arguments.get("from_logits"):
        return
    if labels.are_probabilities(training) and output[1] not in PROBABLE:
        ends = f"in {output[1]}" if output[1] not in LINEAR else "without softmax or sigmoid"
        several = (about.units or 2) > 1
        yield Problem(
            "NN201",
            ("model", output[0]),
            f"{training.loss.name} expects probabilities, but the model ends {ends}, in logits: "
            f"training will stall; add activation: {'softmax' if several else 'sigmoid'}, "
            "or from_logits: true to the loss",
        )


def sigmoid_for_a_categorical_loss(about: SpecContext) -> Iterator[Problem]:
    """NN202."""
    output, loss = output_activation(about.spec.model), about.spec.training.loss.name
    exclusive = labels.loss_family(loss) in ("sparse", "categorical")
    if output and output[1] in ("sigmoid", "hard_sigmoid") and exclusive:
        message = f"sigmoid judges each class by itself, but {loss} wants one of all; use softmax"
        yield Problem("NN202", ("model", output[0]), message)


def pixels_not_scaled(about: SpecContext) -> Iterator[Problem]:
    """NN203."""
    known = about.known
    if known.kind != "images" or _is_normalized(about) or _scaling_itself(about) is not None:
        return
    highest = _brightest(about)
    if highest > LARGE:
        scaled = any(step.step == "rescale" for step in about.spec.dataset.prepare)
        how = "as they are" if highest == known.highest else f"as numbers up to {highest:,.0f}"
        divides = "rescale divides: " if scaled else ""
        message = (
            f"pixels from 0 to {known.highest} reach the first layer {how}; "
            f"{divides}{'write' if scaled else 'add'} rescale: {known.highest}"
        )
        yield Problem("NN203", _preparation(about), message, key=True)


def pixels_scaled_twice(about: SpecContext) -> Iterator[Problem]:
    """NN227."""
    index = _scaling_itself(about)
    if index is None or about.known.kind != "images":
        return
    standardized = any(step.standardizes for step in about.spec.dataset.prepare)
    if standardized or _brightest(about) <= LARGE:
        network = about.spec.model[index].arguments["name"]
        message = (
            f"{network} scales pixels from 0 to 255 itself, and gets others; leave the scaling "
            "before it out, or write preprocess: false"
        )
        yield Problem("NN227", ("model", index), message, key=True)


def columns_of_very_different_size(about: SpecContext) -> Iterator[Problem]:
    """NN204."""
    if about.known.uneven and not _is_normalized(about):
        message = f"the columns of {about.known.name} differ much in size; add standardize"
        yield Problem("NN204", _preparation(about), message, key=True)


def _is_normalized(about: SpecContext) -> bool:
    """Whether what comes in is brought to a size of about 1, whatever it was."""
    if any(step.standardizes for step in about.spec.dataset.prepare):
        return True
    names = [layer.name for layer in about.spec.model if layer.name not in {*PASSING, "Rescaling"}]
    behind = names[1:2] if names and names[0] in LINEAR_LAYERS else names[:1]
    return bool(behind) and behind[0] in NORMALIZING


def _brightest(about: SpecContext) -> float:
    """The largest pixel that the first layer with weights gets to see."""
    highest = float(about.known.highest)
    for step in about.spec.dataset.prepare:
        highest = step.largest_after(highest)
    for layer in about.spec.model:
        if layer.name == "Rescaling":
            scale, offset = (layer.arguments.get(name, 0) for name in ("scale", "offset"))
            highest = abs(highest * scale + offset) if isinstance(scale, int | float) else 1.0
        elif layer.name not in PASSING:
            break
    return highest


def _scaling_itself(about: SpecContext) -> int | None:
    """The layer that pixels reach first, if it is a network that scales them."""
    for index, layer in enumerate(about.spec.model):
        if layer.name == component.APPLICATION:
            return index if layer.arguments.get("preprocess", True) else None
        if layer.name not in {*PASSING, "Rescaling"}:
            return None
    return None


def _preparation(about: SpecContext) -> KeyPath:
    return ("dataset", "prepare") if about.spec.dataset.prepare else ("dataset",)


def dense_layers_without_an_activation(about: SpecContext) -> Iterator[Problem]:
    """NN210."""
    weighted = [
        (index, layer)
        for index, layer in enumerate(about.spec.model)
        if layer.name not in DROPOUTS and layer.name != "Flatten"
    ]
    for (index, layer), (_, behind) in itertools.pairwise(weighted):
        linear = layer.arguments.get("activation") in LINEAR
        if layer.name == behind.name == "Dense" and linear:
            message = "a Dense without activation before another Dense adds nothing; use relu"
            yield Problem("NN210", ("model", index), message)


def narrower_than_the_classes(about: SpecContext) -> Iterator[Problem]:
    """NN211."""
    classes, last = len(about.known.classes), labels.last_with_units(about.spec.model)
    for index, layer in enumerate(about.spec.model[:last]):
        units = layer.arguments.get("units")
        if isinstance(units, int) and classes > 2 and units * CROWDED <= classes:
            message = f"what tells {classes} classes apart must pass through {units} units"
            yield Problem("NN211", ("model", index), message)


def normalized_by_single_rows(about: SpecContext) -> Iterator[Problem]:
    """NN215."""
    for index, layer in enumerate(about.spec.model):
        if layer.name == "BatchNormalization" and about.spec.training.batch_size == 1:
            message = "with batch_size 1 every batch is its own mean"
            yield Problem("NN215", ("model", index), message)


def bounded_output_for_values(about: SpecContext) -> Iterator[Problem]:
    """NN216."""
    output = output_activation(about.spec.model)
    if output and output[1] in BOUNDED and not about.known.classes:
        target = about.known.target
        message = f"{output[1]} ends at 1, but the model is to predict the {target}; leave it out"
        yield Problem("NN216", ("model", output[0]), message)


def binary_loss_for_exclusive_classes(about: SpecContext) -> Iterator[Problem]:
    """NN217."""
    loss, classes = about.spec.training.loss.name, len(about.known.classes)
    if labels.loss_family(loss) == "binary" and classes > 2:
        message = f"{loss} asks {classes} questions of each row; use categorical_crossentropy"
        yield Problem("NN217", ("training", "loss"), message)


def logits_for_a_metric_of_probabilities(about: SpecContext) -> Iterator[Problem]:
    """NN218."""
    training, output = about.spec.training, output_activation(about.spec.model)
    # Of a single logit nnrun itself moves the borders to where they belong.
    told = training.loss.arguments.get("from_logits") and (about.units or 1) > 1
    raw = output is not None and output[1] in LINEAR and labels.are_probabilities(training)
    if not raw or not told:
        return
    for index, metric in enumerate(training.metrics):
        given = {"from_logits", "threshold", "thresholds"} & metric.arguments.keys()
        if labels.canonical_metric(metric) in PROBABILITY_METRICS and not given:
            message = f"{metric.name} expects probabilities, but the model puts out logits"
            yield Problem("NN218", ("training", "metrics", index), message)


def dropout_behind_the_output(about: SpecContext) -> Iterator[Problem]:
    """NN219."""
    last = len(about.spec.model) - 1
    if about.spec.model[last].name in DROPOUTS:
        message = f"{about.spec.model[last].name} falsifies the answers of the model itself"
        yield Problem("NN219", ("model", last), message)


MODEL_RULES = {
    "NN201": logits_for_a_loss_of_probabilities,
    "NN202": sigmoid_for_a_categorical_loss,
    "NN203": pixels_not_scaled,
    "NN204": columns_of_very_different_size,
    "NN210": dense_layers_without_an_activation,
    "NN211": narrower_than_the_classes,
    "NN215": normalized_by_single_rows,
    "NN216": bounded_output_for_values,
    "NN217": binary_loss_for_exclusive_classes,
    "NN218": logits_for_a_metric_of_probabilities,
    "NN219": dropout_behind_the_output,
    "NN227": pixels_scaled_twice,
}


# Warnings about how the model is fitted, and on which rows.

# From so large a learning rate on nothing is learnt, by Keras's own name of the optimizer.
LARGEST_RATE = {
    **dict.fromkeys(("Adam", "AdamW", "Adamax", "Nadam", "RMSprop", "Lion"), 0.1),
    "SGD": 2.0,
}
# What a gate may ask to be one number exactly.
COUNTED = frozenset(("epochs", "best_epoch", "parameters"))
# Callbacks that choose an epoch by what they watch.
CHOOSING = frozenset(("EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"))
# An address from which nothing leaves this machine.
THIS_MACHINE = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/|\Z)", re.IGNORECASE)


def fewer_rows_than_a_batch(about: SpecContext) -> Iterator[Problem]:
    """NN205."""
    left, size = trained_on(about.spec, about.known), about.spec.training.batch_size
    if left is not None and left < size:
        message = f"is more than the {left} rows that train: an epoch will be a single step"
        yield Problem("NN205", ("training", "batch_size"), message)


def stopped_without_the_best_weights(about: SpecContext) -> Iterator[Problem]:
    """NN207."""
    training = about.spec.training
    kept = any(
        each.name == "ModelCheckpoint" and each.arguments.get("save_best_only")
        for each in training.callbacks
    )
    for index, callback in enumerate(training.callbacks):
        restores = callback.arguments.get("restore_best_weights") is True
        if callback.name == "EarlyStopping" and not restores and not kept:
            message = "keeps the weights of the last epoch; add restore_best_weights: true"
            yield Problem("NN207", ("training", "callbacks", index), message)


def waiting_for_longer_than_the_training(about: SpecContext) -> Iterator[Problem]:
    """NN208."""
    epochs = about.spec.training.epochs
    for index, callback in enumerate(about.spec.training.callbacks):
        # At the end of the training it still puts the best weights back.
        if callback.arguments.get("restore_best_weights") is True:
            continue
        accepted = catalogue.arguments("callbacks", callback.name)
        for name in ("patience", "start_from_epoch"):
            default = accepted[name].default if name in accepted else 0
            waits = callback.arguments.get(name, default)
            if isinstance(waits, int | float) and waits >= epochs:
                message = f"{name} {waits} is not reached in {epochs} epochs: it can never act"
                yield Problem("NN208", ("training", "callbacks", index), message)


def watching_for_the_worse(about: SpecContext) -> Iterator[Problem]:
    """NN209."""
    for index, callback in enumerate(about.spec.training.callbacks):
        mode, monitor = callback.arguments.get("mode"), catalogue.monitored_metric(callback)
        better = _better(monitor, about.spec) if monitor else None
        if mode in ("min", "max") and better is not None and mode != better:
            path = ("training", "callbacks", index, callback.name, "mode")
            message = f"is {mode}, but {monitor} is better when {_WHEN[better]}; leave it out"
            yield Problem("NN209", path, message)


_WHEN = {"min": "low", "max": "high"}


def _better(monitor: str, spec: Experiment) -> str | None:
    """Which end of a monitored value is the better one; None where that is not known."""
    name = monitor.removeprefix("val_")
    if name == "loss":
        upwards = labels.improves_upwards(_own(spec.training.loss, "losses"))
        return "min" if not upwards else None
    for metric in spec.training.metrics:
        if name in labels.logged_names(metric):
            return "max" if labels.improves_upwards(_own(metric, "metrics")) else "min"
    return None


def _own(component: Component, kind: str) -> str:
    return catalogue.canonical_name(kind, component.name)


def learning_rate_out_of_size(about: SpecContext) -> Iterator[Problem]:
    """NN212."""
    optimizer = about.spec.training.optimizer
    rate, largest = optimizer.arguments.get("learning_rate"), _largest(optimizer)
    path = ("training", "optimizer", optimizer.name, "learning_rate")
    if isinstance(rate, (int, float)) and rate <= 0:
        message = f"{rate} leaves the weights as they are, or makes them worse; it must be above 0"
        yield Problem("NN212", path, message)
    elif isinstance(rate, (int, float)) and largest is not None and rate >= largest:
        usual = 0.01 if largest > 1 else 0.001
        yield Problem("NN212", path, f"{rate} is large for {optimizer.name}; usual is {usual}")


def _largest(optimizer: Component) -> float | None:
    return LARGEST_RATE.get(_own(optimizer, "optimizers"))


def nothing_validates(about: SpecContext) -> Iterator[Problem]:
    """NN213."""
    if not validated(about.spec):
        message = "no rows validate, so over-fitting will not show; add a holdout or a kfold"
        yield Problem("NN213", ("validation",), message, at=())


def fitted_on_all_rows(about: SpecContext) -> Iterator[Problem]:
    """NN214."""
    for index, step in enumerate(about.spec.dataset.prepare):
        if step.fits_on_all and validated(about.spec):
            message = (
                "leak: fit: all learns from the rows that validate too, so validation looks a "
                "little better than it is; leave it out to have it honest"
            )
            yield Problem("NN214", ("dataset", "prepare", index), message)


def choosing_by_the_rows_that_train(about: SpecContext) -> Iterator[Problem]:
    """NN220."""
    for index, callback in enumerate(about.spec.training.callbacks):
        monitor = catalogue.monitored_metric(callback)
        if monitor is None or callback.name not in CHOOSING or not validated(about.spec):
            continue
        if not monitor.startswith("val_") and monitor != "learning_rate":
            message = f"{callback.name} watches {monitor}, which also falls while over-fitting"
            if (_better(monitor, about.spec) or "min") == "max":
                message = message.replace("falls", "rises")
            yield Problem(
                "NN220", ("training", "callbacks", index), f"{message}; use val_{monitor}"
            )


def told_to_another_machine(about: SpecContext) -> Iterator[Problem]:
    """NN225."""
    for index, callback in enumerate(about.spec.training.callbacks):
        root = str(callback.arguments.get("root", "http://localhost"))
        if callback.name == "RemoteMonitor" and not THIS_MACHINE.match(root):
            message = f"the metrics of every epoch are sent to {root}"
            yield Problem("NN225", ("training", "callbacks", index), message)


def gates_that_cannot_be_met(about: SpecContext) -> Iterator[Problem]:
    """NN224."""
    for name, gate in about.spec.expect.items():
        exact = len(gate.conditions) == 1 and gate.conditions[0][0] == "=="
        if exact and name not in COUNTED:
            number = gate.conditions[0][1]
            message = f"{name} is hardly ever {number:g} exactly; write '>= {number:g}' or a range"
            yield Problem("NN224", ("expect", name), message)
        elif _is_share(name, about.spec) and any(starmap(_never_of_a_share, gate.conditions)):
            message = f"{name} lies between 0 and 1, so '{gate.text}' is never met"
            yield Problem("NN224", ("expect", name), message)


def _is_share(name: str, spec: Experiment) -> bool:
    """Whether a name is that of a metric which is a share of rows."""
    base = re.sub(r"\A(best_|last_|test_)?(val_)?", "", name)
    reported = any(base in labels.logged_names(each) for each in spec.training.metrics)
    return reported and bool(
        re.search("accuracy|^acc$|precision|recall|^auc$", base, re.IGNORECASE)
    )


def _never_of_a_share(sign: str, limit: float) -> bool:
    """Whether no number from 0 to 1 fulfils a condition."""
    never = {">=": limit > 1, ">": limit >= 1, "<=": limit < 0, "<": limit <= 0}
    return never.get(sign, False)


TRAINING_RULES = {
    "NN205": fewer_rows_than_a_batch,
    "NN207": stopped_without_the_best_weights,
    "NN208": waiting_for_longer_than_the_training,
    "NN209": watching_for_the_worse,
    "NN212": learning_rate_out_of_size,
    "NN213": nothing_validates,
    "NN214": fitted_on_all_rows,
    "NN220": choosing_by_the_rows_that_train,
    "NN224": gates_that_cannot_be_met,
    "NN225": told_to_another_machine,
}


Rule = Callable[[SpecContext], Iterator[Problem]]

RULES: dict[str, Rule] = {**MODEL_RULES, **TRAINING_RULES, **model.STAGE_RULES, **user_data.RULES}
"""By the code that each speaks under."""


def findings(about: SpecContext) -> list[Problem]:
    """All warnings, but those that the spec takes back; none of data that nothing is known of."""
    if about.known.open:
        return []
    found = [finding for rule in RULES.values() for finding in rule(about)]
    return without_ignored(found, about.spec)


def without_ignored(found: Sequence[Problem], spec: Experiment) -> list[Problem]:
    """The findings without those that a spec takes back."""
    return [finding for finding in found if finding.code not in spec.lint.ignore]
