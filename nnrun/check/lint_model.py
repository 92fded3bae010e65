"""Warnings about the layers, and about rows and layers together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from nnrun.check import labels
from nnrun.check.subject import Subject
from nnrun.spec import applications
from nnrun.spec.component import Component
from nnrun.spec.finding import Finding
from nnrun.spec.steps import Rescale, Standardize
from nnrun.spec.tree import Path

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


def logits_for_a_loss_of_probabilities(about: Subject) -> Iterator[Finding]:
    """NN201."""
    training, output = about.spec.training, output_activation(about.spec.model)
    if output is None or training.loss.arguments.get("from_logits"):
        return
    if labels.are_probabilities(training) and output[1] not in PROBABLE:
        ends = f"in {output[1]}" if output[1] not in LINEAR else "without softmax or sigmoid"
        several = (about.units or 2) > 1
        yield Finding(
            "NN201",
            ("model", output[0]),
            f"{training.loss.name} expects probabilities, but the model ends {ends}, in logits: "
            f"training will stall; add activation: {'softmax' if several else 'sigmoid'}, "
            "or from_logits: true to the loss",
        )


def sigmoid_for_a_categorical_loss(about: Subject) -> Iterator[Finding]:
    """NN202."""
    output, loss = output_activation(about.spec.model), about.spec.training.loss.name
    exclusive = labels.family(loss) in ("sparse", "categorical")
    if output and output[1] in ("sigmoid", "hard_sigmoid") and exclusive:
        message = f"sigmoid judges each class by itself, but {loss} wants one of all; use softmax"
        yield Finding("NN202", ("model", output[0]), message)


def pixels_not_scaled(about: Subject) -> Iterator[Finding]:
    """NN203."""
    known = about.known
    if known.kind != "images" or _is_normalized(about) or _scaling_itself(about) is not None:
        return
    highest = _brightest(about)
    if highest > LARGE:
        scaled = any(isinstance(step, Rescale) for step in about.spec.dataset.prepare)
        how = "as they are" if highest == known.highest else f"as numbers up to {highest:,.0f}"
        divides = "rescale divides: " if scaled else ""
        message = (
            f"pixels from 0 to {known.highest} reach the first layer {how}; "
            f"{divides}{'write' if scaled else 'add'} rescale: {known.highest}"
        )
        yield Finding("NN203", _preparation(about), message, key=True)


def pixels_scaled_twice(about: Subject) -> Iterator[Finding]:
    """NN227."""
    index = _scaling_itself(about)
    if index is None or about.known.kind != "images":
        return
    standardized = any(isinstance(step, Standardize) for step in about.spec.dataset.prepare)
    if standardized or _brightest(about) <= LARGE:
        network = about.spec.model[index].arguments["name"]
        message = (
            f"{network} scales pixels from 0 to 255 itself, and gets others; leave the scaling "
            "before it out, or write preprocess: false"
        )
        yield Finding("NN227", ("model", index), message, key=True)


def columns_of_very_different_size(about: Subject) -> Iterator[Finding]:
    """NN204."""
    if about.known.uneven and not _is_normalized(about):
        message = f"the columns of {about.known.name} differ much in size; add standardize"
        yield Finding("NN204", _preparation(about), message, key=True)


def _is_normalized(about: Subject) -> bool:
    """Whether what comes in is brought to a size of about 1, whatever it was."""
    if any(isinstance(step, Standardize) for step in about.spec.dataset.prepare):
        return True
    names = [layer.name for layer in about.spec.model if layer.name not in {*PASSING, "Rescaling"}]
    behind = names[1:2] if names and names[0] in LINEAR_LAYERS else names[:1]
    return bool(behind) and behind[0] in NORMALIZING


def _brightest(about: Subject) -> float:
    """The largest pixel that the first layer with weights gets to see."""
    highest = float(about.known.highest)
    for step in about.spec.dataset.prepare:
        highest = highest / step.divisor if isinstance(step, Rescale) else highest
    for layer in about.spec.model:
        if layer.name == "Rescaling":
            scale, offset = (layer.arguments.get(name, 0) for name in ("scale", "offset"))
            highest = abs(highest * scale + offset) if isinstance(scale, int | float) else 1.0
        elif layer.name not in PASSING:
            break
    return highest


def _scaling_itself(about: Subject) -> int | None:
    """The layer that pixels reach first, if it is a network that scales them."""
    for index, layer in enumerate(about.spec.model):
        if layer.name == applications.NAME:
            return index if layer.arguments.get("preprocess", True) else None
        if layer.name not in {*PASSING, "Rescaling"}:
            return None
    return None


def _preparation(about: Subject) -> Path:
    return ("dataset", "prepare") if about.spec.dataset.prepare else ("dataset",)


def dense_layers_without_an_activation(about: Subject) -> Iterator[Finding]:
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
            yield Finding("NN210", ("model", index), message)


def narrower_than_the_classes(about: Subject) -> Iterator[Finding]:
    """NN211."""
    classes, last = len(about.known.classes), labels.last_with_units(about.spec.model)
    for index, layer in enumerate(about.spec.model[:last]):
        units = layer.arguments.get("units")
        if isinstance(units, int) and classes > 2 and units * CROWDED <= classes:
            message = f"what tells {classes} classes apart must pass through {units} units"
            yield Finding("NN211", ("model", index), message)


def normalized_by_single_rows(about: Subject) -> Iterator[Finding]:
    """NN215."""
    for index, layer in enumerate(about.spec.model):
        if layer.name == "BatchNormalization" and about.spec.training.batch_size == 1:
            message = "with batch_size 1 every batch is its own mean"
            yield Finding("NN215", ("model", index), message)


def bounded_output_for_values(about: Subject) -> Iterator[Finding]:
    """NN216."""
    output = output_activation(about.spec.model)
    if output and output[1] in BOUNDED and not about.known.classes:
        target = about.known.target
        message = f"{output[1]} ends at 1, but the model is to predict the {target}; leave it out"
        yield Finding("NN216", ("model", output[0]), message)


def binary_loss_for_exclusive_classes(about: Subject) -> Iterator[Finding]:
    """NN217."""
    loss, classes = about.spec.training.loss.name, len(about.known.classes)
    if labels.family(loss) == "binary" and classes > 2:
        message = f"{loss} asks {classes} questions of each row; use categorical_crossentropy"
        yield Finding("NN217", ("training", "loss"), message)


def logits_for_a_metric_of_probabilities(about: Subject) -> Iterator[Finding]:
    """NN218."""
    training, output = about.spec.training, output_activation(about.spec.model)
    # Of a single logit nnrun itself moves the borders to where they belong.
    told = training.loss.arguments.get("from_logits") and (about.units or 1) > 1
    raw = output is not None and output[1] in LINEAR and labels.are_probabilities(training)
    if not raw or not told:
        return
    for index, metric in enumerate(training.metrics):
        given = {"from_logits", "threshold", "thresholds"} & metric.arguments.keys()
        if labels.meaning(metric) in PROBABILITY_METRICS and not given:
            message = f"{metric.name} expects probabilities, but the model puts out logits"
            yield Finding("NN218", ("training", "metrics", index), message)


def dropout_behind_the_output(about: Subject) -> Iterator[Finding]:
    """NN219."""
    last = len(about.spec.model) - 1
    if about.spec.model[last].name in DROPOUTS:
        message = f"{about.spec.model[last].name} falsifies the answers of the model itself"
        yield Finding("NN219", ("model", last), message)


RULES = {
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
