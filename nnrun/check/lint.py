"""Warnings: specs that run, but rarely do what the user wants."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from nnrun.check import user_data
from nnrun.check.context import SpecContext, embedded, held_out
from nnrun.check.training import CALLBACKS, better_mode, validated
from nnrun.spec import catalogue, component, graph, labels, profile
from nnrun.spec.component import Component
from nnrun.spec.dataset import Images, Table
from nnrun.spec.experiment import Experiment
from nnrun.spec.text import quote, type_hint
from nnrun.spec.tree import KeyPath, Problem

# Layers that bring their input to a scale of about 1.
NORMALIZATIONS = frozenset(
    "Normalization BatchNormalization LayerNormalization GroupNormalization "
    "RMSNormalization UnitNormalization".split()
)
# Layers with weights after which BatchNormalization removes the scale of the input.
LINEAR_LAYERS = frozenset("Dense Conv1D Conv2D SeparableConv2D DepthwiseConv2D".split())
# Layers that keep the scale of their input.
SCALE_KEEPING = frozenset(
    "Flatten Reshape Permute RepeatVector Identity Resizing CenterCrop ZeroPadding1D ZeroPadding2D "
    "Cropping1D Cropping2D MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D "
    "RandomFlip RandomRotation RandomZoom RandomTranslation RandomCrop RandomContrast "
    "RandomBrightness Dropout AlphaDropout GaussianDropout GaussianNoise SpatialDropout1D "
    "SpatialDropout2D".split()
)
DROPOUTS = frozenset("Dropout AlphaDropout GaussianDropout GaussianNoise".split())
PROBABILITY_ACTIVATIONS = frozenset("softmax sigmoid hard_sigmoid sparsemax".split())
BOUNDED_ACTIVATIONS = PROBABILITY_ACTIVATIONS | frozenset("tanh hard_tanh softsign".split())
NO_ACTIVATION = frozenset((None, "linear"))
ACTIVATION_LAYERS = {"Softmax": "softmax", "ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu"}
# Metrics with thresholds between 0 and 1, or with a probability as their argument.
PROBABILITY_METRICS = frozenset(
    "AUC Precision Recall BinaryAccuracy TruePositives TrueNegatives FalsePositives FalseNegatives "
    "PrecisionAtRecall RecallAtPrecision SensitivityAtSpecificity SpecificityAtSensitivity "
    "BinaryIoU BinaryCrossentropy".split()
)
MAX_PIXEL = 5.0  # initial weights suit inputs up to about this value
PIXEL_FACTOR = 2  # by which the range of a layer and that of the pixels may differ
STANDARDIZED = 3.0  # the largest of most standardized values
LARGE_TARGET = 1000.0  # values that a model reaches only after many steps
MAX_CLASSES_PER_UNIT = 4
# The learning rate from which an optimizer, by its name in Keras, learns nothing.
MAX_LEARNING_RATES = {
    **dict.fromkeys(("Adam", "AdamW", "Adamax", "Nadam", "RMSprop", "Lion"), 0.1),
    "SGD": 2.0,
}
# Integers, for which a gate with == makes sense.
COUNTS = frozenset(("epochs", "best_epoch", "parameters"))
# Callbacks that choose an epoch by a metric.
CHOOSING_CALLBACKS = frozenset(("EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"))
# Names of columns whose whole numbers are not amounts.
CODE_NAME = re.compile(
    r"(?<![A-Za-z])(?i:codes?|zip|(zip|post)_?codes?|postal|plz|fips|ids?|keys?|sku|categor(y|ies)"
    r"|cluster|region|district)(?![A-Za-z])|(?<=[a-z])(Ids?|Code|Key|Zip)(?![a-z])"
)
# Warnings about the columns of a table, which a sample shows, and about its windows.
OF_COLUMNS = ("NN229", "NN236", "NN238", "NN239", "NN242")
LOCALHOST = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/|\Z)", re.IGNORECASE)

if TYPE_CHECKING:
    from nnrun.spec.tables import Column

Warnings = Iterator[tuple[KeyPath, str]]
Rule = Callable[[SpecContext], Warnings]
RULES: dict[str, Callable[[SpecContext], Iterator[Problem]]] = {}
"""By code."""


def rule(code: str, *, key: bool = False, at: KeyPath | None = None) -> Callable[[Rule], Rule]:
    """Registers a function that yields the path and the message of each warning of a code.

    Args:
        code: of the warnings.
        key, at: as in `Problem`.
    """

    def register(function: Rule) -> Rule:
        RULES[code] = lambda context: (
            Problem(code, path, message, key=key, at=at) for path, message in function(context)
        )
        return function

    return register


def findings(context: SpecContext) -> list[Problem]:
    """All warnings that the spec does not ignore; few while the classes are unknown."""
    codes = OF_COLUMNS if context.profile.open else RULES
    problems = {
        replace(problem, path=context.spec.path_in_whole(name, problem.path)): None
        for code in codes
        for name, view in context.views.items()
        for problem in RULES[code](view)
    }
    return without_ignored([*problems], context.spec)


def without_ignored(problems: Sequence[Problem], spec: Experiment) -> list[Problem]:
    """Warnings without those that the spec ignores."""
    return [problem for problem in problems if problem.code not in spec.lint.ignore]


@rule("NN201")
def _logits_for_loss(context: SpecContext) -> Warnings:
    training, output = context.spec.training, _output_activation(context.spec.model)
    if output is None or training.loss.arguments.get("from_logits"):
        return
    index, activation = output
    if labels.are_probabilities(training) and activation not in PROBABILITY_ACTIVATIONS:
        without = activation in NO_ACTIVATION
        ends = "without softmax or sigmoid" if without else f"in {activation}"
        is_alone = context.units == 1 or context.profile.target.kind == "labels"
        fix = "sigmoid" if is_alone else "softmax"
        message = (
            f"{training.loss.name} expects probabilities, but the model ends {ends}, in logits: "
            f"training will stall; add activation: {fix}, or from_logits: true to the loss"
        )
        yield ("model", index), message


@rule("NN202")
def _sigmoid_for_exclusive_classes(context: SpecContext) -> Warnings:
    output, loss = _output_activation(context.spec.model), context.spec.training.loss.name
    exclusive = labels.loss_family(loss) in ("sparse", "categorical")
    if output and output[1] in ("sigmoid", "hard_sigmoid") and exclusive:
        message = f"sigmoid scores each class by itself, but {loss} needs one class; use softmax"
        yield ("model", output[0]), message


@rule("NN203", key=True)
def _pixels_not_scaled(context: SpecContext) -> Warnings:
    profile, largest = context.profile, _largest_pixel(context)
    if profile.kind != "images" or largest <= MAX_PIXEL or _is_normalized(context):
        return
    if _scaling_application(context) is None:
        rescales = any(step.step == "rescale" for step in context.spec.dataset.prepare)
        scale = "as they are" if largest == profile.highest else f"as numbers up to {largest:,.0f}"
        fix = "rescale divides: write" if rescales else "add"
        message = f"pixels from 0 to {profile.highest} reach the first layer {scale}; "
        yield _prepare_path(context), f"{message}{fix} rescale: {profile.highest}"


@rule("NN204", key=True)
def _columns_of_different_scale(context: SpecContext) -> Warnings:
    is_scaled = _is_normalized(context) or embedded(context.spec) is not None
    if context.profile.uneven and not is_scaled:
        message = f"the columns of {context.profile.name} differ much in scale; add standardize"
        yield _prepare_path(context), message


@rule("NN210")
def _linear_dense_before_dense(context: SpecContext) -> Warnings:
    skipped = DROPOUTS | {"Flatten"}
    sources = graph.used_names(context.spec.model)
    layers = [pair for pair in enumerate(context.spec.model) if pair[1].name not in skipped]
    for (index, layer), (_, following) in pairwise(layers):
        linear = layer.arguments.get("activation") in NO_ACTIVATION
        linear = linear and graph.output_name(layer) not in sources
        if layer.name == following.name == "Dense" and linear:
            message = "a Dense without activation before another Dense adds nothing; use relu"
            yield ("model", index), message


@rule("NN211")
def _narrower_than_classes(context: SpecContext) -> Warnings:
    classes, last = len(context.profile.classes), labels.last_with_units(context.spec.model)
    for index, layer in enumerate(context.spec.model[:last]):
        units = layer.arguments.get("units")
        if isinstance(units, int) and classes > 2 and units * MAX_CLASSES_PER_UNIT <= classes:
            yield ("model", index), f"{units} units are few to distinguish {classes} classes"


@rule("NN215")
def _batch_normalization_of_single_rows(context: SpecContext) -> Warnings:
    for index, layer in enumerate(context.spec.model):
        if layer.name == "BatchNormalization" and context.spec.training.batch_size == 1:
            yield ("model", index), "with batch_size 1, each batch equals its own mean"


@rule("NN216")
def _bounded_output_for_regression(context: SpecContext) -> Warnings:
    output, target = _output_activation(context.spec.model), context.profile.target.name
    bounded = output and output[1] in BOUNDED_ACTIVATIONS
    is_value = context.profile.target.kind == "value"
    if output and bounded and context.profile.target.kind == "inputs":
        scaled = [step.step for step in context.spec.dataset.prepare if step.standardizes]
        is_pixels = context.profile.kind == "images" and _largest_pixel(context) > 1
        if scaled or is_pixels:
            limit = "standardized values are not" if scaled else "the prepared pixels are not"
            message = f"{output[1]} is between 0 and 1, and {limit}; rescale them, or leave it out"
            yield ("model", output[0]), message
    elif output and bounded and is_value and not context.profile.shares:
        message = f"{output[1]} is at most 1, but the model predicts the {target}; leave it out"
        yield ("model", output[0]), message


@rule("NN217")
def _binary_loss_for_exclusive_classes(context: SpecContext) -> Warnings:
    loss, classes = context.spec.training.loss.name, len(context.profile.classes)
    if labels.loss_family(loss) == "binary" and classes > 2:
        message = f"{loss} scores {classes} classes independently; use categorical_crossentropy"
        yield ("training", "loss"), message


@rule("NN218")
def _probability_as_threshold_of_logits(context: SpecContext) -> Warnings:
    training = context.spec.training
    if (context.units or 1) < 2 or not labels.outputs_logits(training):
        return
    for index, metric in enumerate(training.metrics):
        given = metric.arguments.get("threshold", metric.arguments.get("thresholds"))
        for limit in given if isinstance(given, list) else [given]:
            if isinstance(limit, float) and 0 < limit < 1:
                message = f"{metric.name} compares logits with {limit}; a logit is 0 where a"
                yield ("training", "metrics", index), f"{message} probability is 0.5"


@rule("NN219")
def _dropout_after_output(context: SpecContext) -> Warnings:
    last = context.spec.model[-1].name
    if last in DROPOUTS:
        yield ("model", len(context.spec.model) - 1), f"{last} distorts the output of the model"


@rule("NN227", key=True)
def _pixels_scaled_twice(context: SpecContext) -> Warnings:
    index = _scaling_application(context)
    if index is None or context.profile.kind != "images":
        return
    standardized = any(step.standardizes for step in context.spec.dataset.prepare)
    if standardized or _largest_pixel(context) <= MAX_PIXEL:
        message = (
            f"{context.spec.model[index].arguments['name']} expects pixels from 0 to 255 and "
            "scales them itself; remove the scaling before it, or write preprocess: false"
        )
        yield ("model", index), message


@rule("NN205")
def _fewer_rows_than_batch(context: SpecContext) -> Warnings:
    rows, validation = context.profile.train, context.spec.validation
    if rows is None:
        return
    holdout, kfold = validation.holdout, validation.kfold
    held = held_out(holdout, rows) if holdout else 0
    if kfold and kfold.folds and not kfold.time_series:
        held = max(held, -(-rows // kfold.folds))
    if rows - held < context.spec.training.batch_size:
        message = f"is more than the {rows - held} training rows: an epoch will be a single step"
        yield ("training", "batch_size"), message


def _callbacks(context: SpecContext) -> Iterator[tuple[KeyPath, Component]]:
    for index, callback in enumerate(context.spec.training.callbacks):
        yield (*CALLBACKS, index), callback


@rule("NN207")
def _early_stopping_without_best_weights(context: SpecContext) -> Warnings:
    if context.spec.training.restored_by or any(
        callback.name == "ModelCheckpoint" and callback.arguments.get("save_best_only")
        for _, callback in _callbacks(context)
    ):
        return
    for path, callback in _callbacks(context):
        restores = callback.arguments.get("restore_best_weights") is True
        if callback.name == "EarlyStopping" and not restores:
            yield (
                path,
                "keeps the weights of the last epoch; add restore_best_weights: true, or training.restore: best",
            )


@rule("NN208")
def _patience_exceeds_epochs(context: SpecContext) -> Warnings:
    epochs = context.spec.training.epochs
    for path, callback in _callbacks(context):
        # It still restores the best weights at the end.
        if callback.arguments.get("restore_best_weights") is True:
            continue
        accepted = catalogue.arguments("callbacks", callback.name)
        for name in ("patience", "start_from_epoch"):
            default = accepted[name].default if name in accepted else 0
            value = callback.arguments.get(name, default)
            if isinstance(value, int | float) and value >= epochs:
                yield path, f"{name} {value} needs more than {epochs} epochs: it can never act"


@rule("NN209")
def _wrong_mode(context: SpecContext) -> Warnings:
    for path, callback in _callbacks(context):
        mode, monitor = callback.arguments.get("mode"), catalogue.monitored_metric(callback)
        better = better_mode(monitor, context.spec.training) if monitor else None
        if mode in ("min", "max") and better is not None and mode != better:
            when = "low" if better == "min" else "high"
            message = f"is {mode}, but {monitor} is better when {when}; leave it out"
            yield (*path, callback.name, "mode"), message


@rule("NN212")
def _unusual_learning_rate(context: SpecContext) -> Warnings:
    optimizer = context.spec.training.optimizer
    rate = optimizer.arguments.get("learning_rate")
    if not isinstance(rate, int | float):
        return
    path = ("training", "optimizer", optimizer.name, "learning_rate")
    limit = MAX_LEARNING_RATES.get(catalogue.canonical_name("optimizers", optimizer.name))
    if rate <= 0:
        yield path, f"{rate} keeps the weights as they are, or makes them worse; must be above 0"
    elif limit is not None and rate >= limit:
        usual = 0.01 if limit > 1 else 0.001
        yield path, f"{rate} is large for {optimizer.name}; usual is {usual}"


@rule("NN213", at=())
def _no_validation_rows(context: SpecContext) -> Warnings:
    if not validated(context.spec):
        message = "there are no validation rows to show overfitting; add a holdout or a kfold"
        yield ("validation",), message


@rule("NN214")
def _fitted_on_validation_rows(context: SpecContext) -> Warnings:
    for index, step in enumerate(context.spec.dataset.prepare):
        if step.fits_on_all and validated(context.spec):
            message = (
                "leak: fit: all learns from the validation rows too, so validation looks a little "
                "better than it is; leave it out"
            )
            yield ("dataset", "prepare", index), message


@rule("NN220")
def _choosing_by_training_metric(context: SpecContext) -> Warnings:
    for path, callback in _callbacks(context):
        monitor = catalogue.monitored_metric(callback) or "val_loss"
        chooses = callback.name in CHOOSING_CALLBACKS and validated(context.spec)
        if chooses and not monitor.startswith("val_"):
            direction = "rises" if better_mode(monitor, context.spec.training) == "max" else "falls"
            message = f"watches {monitor}, which also {direction} while overfitting"
            yield path, f"{callback.name} {message}; use val_{monitor}"
    metric, training = context.spec.training.restored_by, context.spec.training
    if metric and not metric.startswith("val_") and validated(context.spec):
        direction = "rises" if better_mode(metric, training) == "max" else "falls"
        message = f"restore watches {metric}, which also {direction} while overfitting"
        yield ("training", "restore"), f"{message}; use val_{metric}"


@rule("NN224")
def _impossible_gates(context: SpecContext) -> Warnings:
    bounds = labels.all_bounds(context.spec.training)
    for name, gate in context.spec.expect.items():
        sign, number = gate.conditions[0]
        if len(gate.conditions) == 1 and sign == "==" and name not in COUNTS:
            message = f"{name} is hardly ever {number:g} exactly; write '>= {number:g}' or a range"
            yield ("expect", name), message
            continue
        measured = re.sub(r"\A(best_|last_|test_)?(val_)?", "", name)
        low, high = bounds.get(measured, (-math.inf, math.inf))
        if any(_is_never_met(sign, limit, low, high) for sign, limit in gate.conditions):
            ends = f"between {low:g} and {high:g}" if high < math.inf else f"at least {low:g}"
            yield ("expect", name), f"{name} is {ends}, so '{gate.text}' is never met"


@rule("NN225")
def _metrics_sent_away(context: SpecContext) -> Warnings:
    for path, callback in _callbacks(context):
        root = str(callback.arguments.get("root", "http://localhost"))
        if callback.name == "RemoteMonitor" and not LOCALHOST.match(root):
            yield path, f"the metrics of every epoch are sent to {root}"


@rule("NN226")
def _stages_that_never_begin(context: SpecContext) -> Warnings:
    training, start = context.spec.training, 0
    for number, stage in enumerate(training.stages):
        if start >= training.epochs:
            message = f"begins after {start} epochs, and training ends after {training.epochs}"
            yield ("training", "stages", number), message
            return
        start += stage.epochs


@rule("NN229")
def _columns_that_number_rows(context: SpecContext) -> Warnings:
    for name, column in _features(context).items():
        if column.counts:
            message = f"column {quote(name)} numbers the rows, so new rows have other values"
            yield ("dataset", "path"), f"{message}; leave it out with {type_hint(name, 'drop')}"


@rule("NN236")
def _codes_read_as_numbers(context: SpecContext) -> Warnings:
    types = getattr(context.spec.dataset, "types", {})
    for name, column in _features(context).items():
        example = column.code_example(named=bool(CODE_NAME.search(name)))
        if example and name not in types:
            kind = "drop" if column.names_rows else "category"
            message = f"column {quote(name)} holds numbers that look like codes or dates, such as {example}"
            fix = f"{type_hint(name, kind)}, or number if they are amounts"
            yield ("dataset", "path"), f"{message}; write {fix}"


@rule("NN238")
def _words_that_differ_in_case(context: SpecContext) -> Warnings:
    for name, column in _columns(context).items():
        if column.variants:
            words = " and ".join(map(quote, column.variants))
            message = f"column {quote(name)} has the words {words}, which differ only in case"
            yield ("dataset", "path"), f"{message}; write them alike if they mean the same"


@rule("NN239")
def _numbers_for_no_value(context: SpecContext) -> Warnings:
    for name, column in _columns(context).items():
        if column.marker:
            message = f"column {quote(name)} has the number {column.marker} far from all others"
            fix = f"na_values: ['{column.marker}'] if it stands for no value"
            yield ("dataset", "path"), f"{message}; write {fix}"


def _features(context: SpecContext) -> dict[str, Column]:
    """The columns of a user's table that are features, as far as a sample shows them."""
    dataset = context.spec.dataset
    if isinstance(dataset, Table):
        # The sample of an open profile may be unreadable.
        with suppress(ImportError, OSError, ValueError, KeyError):
            table = dataset.sample(Path(dataset.path))
            return {name: table.columns[name] for name in dataset.feature_names(table)}
    return {}


def _columns(context: SpecContext) -> dict[str, Column]:
    """The features, and the target if it is one column."""
    dataset, columns = context.spec.dataset, _features(context)
    if columns and isinstance(dataset, Table) and isinstance(dataset.target, str):
        table = dataset.sample(Path(dataset.path))
        columns |= {name: table.columns[name] for name in dataset.target_columns}
    return columns


@rule("NN228")
def _missing_files(context: SpecContext) -> Warnings:
    yield from user_data.missing_files(context.spec.dataset)


@rule("NN230")
def _unused_images(context: SpecContext) -> Warnings:
    dataset = context.spec.dataset
    if not isinstance(dataset, Images) or dataset.reconstructs:
        return
    for key, value in dataset.locations.items():
        if files := profile.unused_images(Path(value)):
            more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
            message = f"{quote(files[0].name)}{more} beside the class folders is not used"
            yield key, f"{message}; move it into the folder of its class"


@rule("NN232")
def _large_targets(context: SpecContext) -> Warnings:
    yield from _large_target_warnings(context, context.profile.scale)


def large_targets(context: SpecContext, scale: float) -> list[Problem]:
    """The warning about large values to predict, whose root mean square is known from the rows."""
    found = _large_target_warnings(context, scale)
    return [Problem("NN232", path, message) for path, message in found]


def _large_target_warnings(context: SpecContext, scale: float) -> Warnings:
    last = labels.last_with_units(context.spec.model)
    rescaled = any(layer.name == "Rescaling" for layer in context.spec.model[last + 1 :])
    exponential = context.spec.model[last].arguments.get("activation") == "exponential"
    if scale >= LARGE_TARGET and not (rescaled or exponential):
        message = (
            f"the values to predict are about {scale:,.0f}, and outputs of a new model are about 1; "
            f"end it with Rescaling: {power_of_ten(scale)}, or divide the values"
        )
        yield ("model", last), message


@rule("NN233")
def _other_pixels_than_augmented(context: SpecContext) -> Warnings:
    if context.profile.kind != "images":
        return
    standardized = any(step.standardizes for step in context.spec.dataset.prepare)
    for index, layer in enumerate(context.spec.model):
        accepted = catalogue.arguments("layers", layer.name)
        if "value_range" not in accepted:
            continue
        match layer.arguments.get("value_range", accepted["value_range"].default):
            case [int() | float(), int() | float() as most]:
                pass
            case _:
                continue
        largest = STANDARDIZED if standardized else _largest_pixel(context, until=index)
        if most <= PIXEL_FACTOR * largest and largest <= PIXEL_FACTOR * most:
            continue
        shifted = [x for x in context.spec.model[:index] if x.arguments.get("offset")]
        lowest = -largest if standardized or shifted else 0
        message = f"takes pixels up to {most:g}, but gets numbers up to {largest:.3g}; write"
        fix = f"value_range: [{lowest:.3g}, {largest:.3g}]"
        yield ("model", index), f"{layer.name} {message} {fix}"


@rule("NN234")
def _mixed_without_labels(context: SpecContext) -> Warnings:
    for index, layer in enumerate(context.spec.model):
        if layer.name in ("MixUp", "CutMix"):
            message = f"{layer.name} mixes images of different classes, but not their labels"
            yield ("model", index), f"{message}; leave it out, or use RandAugment"


@rule("NN242")
def _windows_at_random(context: SpecContext) -> Warnings:
    validation = context.spec.validation
    if not context.spec.dataset.is_ordered:
        return
    message = "validates on windows that overlap those that train; write"
    if validation.holdout and validation.holdout.take == "random":
        yield ("validation", "holdout"), f"{message} take: last"
    if validation.kfold and not validation.kfold.time_series:
        yield ("validation", "kfold"), f"{message} time_series: true"


def _output_activation(model: Sequence[Component]) -> tuple[int, str | None] | None:
    """The index of the layer that shapes the output and its activation; None if unknown."""
    for index, layer in reversed([*enumerate(model)]):
        if layer.name in ACTIVATION_LAYERS:
            return index, ACTIVATION_LAYERS[layer.name]
        if layer.name in ("Dense", "Activation"):
            activation = layer.arguments.get("activation")
            return (index, activation) if isinstance(activation, str | None) else None
        if layer.name not in DROPOUTS | SCALE_KEEPING:
            return None
    return None


def _is_normalized(context: SpecContext) -> bool:
    """Whether the input is brought to a scale of about 1 from any scale."""
    if any(step.standardizes for step in context.spec.dataset.prepare):
        return True
    skipped = SCALE_KEEPING | {"Rescaling"}
    names = [layer.name for layer in context.spec.model if layer.name not in skipped]
    if names and names[0] in LINEAR_LAYERS:
        names = names[1:]
    return bool(names) and names[0] in NORMALIZATIONS


def power_of_ten(scale: float) -> int:
    """The power of ten below a scale."""
    return int(10 ** math.floor(math.log10(scale)))


def _largest_pixel(context: SpecContext, until: int | None = None) -> float:
    """The largest pixel in the input of the first layer with weights, or of layer `until`."""
    largest = float(context.profile.highest)
    for step in context.spec.dataset.prepare:
        largest = step.largest_after(largest)
    for layer in context.spec.model[:until]:
        if layer.name == "Rescaling":
            scale, offset = (layer.arguments.get(name, 0) for name in ("scale", "offset"))
            ends = (offset, largest * scale + offset) if isinstance(scale, int | float) else (1.0,)
            largest = max(map(abs, ends))
        elif layer.name not in SCALE_KEEPING:
            break
    return largest


def _scaling_application(context: SpecContext) -> int | None:
    """The index of an `Application` that gets the input first and scales it itself."""
    for index, layer in enumerate(context.spec.model):
        if layer.name == component.APPLICATION:
            return index if layer.arguments.get("preprocess", True) else None
        if layer.name not in SCALE_KEEPING | {"Rescaling"}:
            return None
    return None


def _prepare_path(context: SpecContext) -> KeyPath:
    return ("dataset", "prepare") if context.spec.dataset.prepare else ("dataset",)


def _is_never_met(sign: str, limit: float, low: float, high: float) -> bool:
    """Whether no number from `low` to `high` meets a condition."""
    never = {">=": limit > high, ">": limit >= high, "<=": limit < low, "<": limit <= low}
    return never.get(sign, False)
