"""Every layer with a rule has the shapes and the parameter counts that Keras gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nnrun.check.shapes import KNOWN, Row, Traced, trace
from nnrun.spec import catalogue, component
from nnrun.spec.component import Component

Arguments = dict[str, Any]
Shape = tuple[int | None, ...]
KerasSays = Callable[[list[Component], Row], tuple[Traced, ...]]


VECTOR, SEQUENCE, PICTURE, VOLUME = (6,), (8, 6), (8, 9, 6), (6, 7, 8, 6)
IN = {1: SEQUENCE, 2: PICTURE, 3: VOLUME}
OPEN = {1: (None, 6), 2: (None, 9, 6), 3: (6, None, 8, 6)}
FIRST = {1: (6, 8), 2: (6, 8, 9), 3: (6, 7, 8, 9)}
CHANNELS_FIRST = {"data_format": "channels_first"}
Case = tuple[Shape, Arguments]

PADDINGS = {
    1: (2, [1, 2]),
    2: (2, [1, 2], [[1, 2], [0, 3]]),
    3: (1, [1, 2, 0], [[1, 2], [0, 1], 2]),
}
POOLED = ({"pool_size": 2}, {"pool_size": 3, "strides": 1}, {"pool_size": 3, "padding": "same"})


def conv(rank: int, *, transposed: bool = False, **filters: int) -> list[Case]:
    some = {**filters, "kernel_size": 3}
    each = {**filters, "kernel_size": [2, 3, 1][:rank], "strides": [3, 1, 2][:rank]}
    dilated = {**some, "dilation_rate": [2, 1, 3][:rank]}
    variants = [
        *(some, each, dilated, {**each, "padding": "same"}, {**dilated, "padding": "same"}),
        {**some, "use_bias": False, "activation": "relu", "kernel_regularizer": {"L2": 0.01}},
        {**some, "trainable": False},
    ]
    if transposed:
        variants += [
            {**some, "strides": 3, "padding": padding, "output_padding": 2}
            for padding in ("valid", "same")
        ]
    return [
        *((IN[rank], arguments) for arguments in variants),
        *((OPEN[rank], {**arguments, "strides": 2}) for arguments in (some,)),
        (FIRST[rank], {**some, **CHANNELS_FIRST}),
    ]


def usual_conv(rank: int) -> list[Case]:
    grouped = {"filters": 4, "kernel_size": 2, "groups": 2}
    causal = {"filters": 3, "kernel_size": 3, "padding": "causal"}
    late = [(IN[1], {**causal, "dilation_rate": 2}), (IN[1], {**causal, "strides": 2})]
    return [*conv(rank, filters=4), (IN[rank], grouped), *(late if rank == 1 else [])]


def separable(rank: int) -> list[Case]:
    deep = {"filters": 4, "kernel_size": 2, "depth_multiplier": 3}
    without = [(s, a) for s, a in conv(rank, filters=4) if "kernel_regularizer" not in a]
    return [*without, (IN[rank], deep), (IN[rank], {**deep, "use_bias": False})]


def depthwise(rank: int) -> list[Case]:
    deep = {"kernel_size": 2, "depth_multiplier": 3}
    without = [(s, a) for s, a in conv(rank) if "kernel_regularizer" not in a]
    return [*without, (IN[rank], deep), (IN[rank], {**deep, "use_bias": False})]


def pooling(rank: int) -> list[Case]:
    some = [(where[rank], arguments) for where in (IN, OPEN) for arguments in POOLED]
    each = {"pool_size": [1, 2, 3][:rank], "strides": [2, 1, 3][:rank]}
    return [*some, (IN[rank], each), (FIRST[rank], {**POOLED[0], **CHANNELS_FIRST})]


def pooling_over_all(rank: int) -> list[Case]:
    return [
        (where[rank], arguments | keep)
        for where, arguments in ((IN, {}), (OPEN, {}), (FIRST, CHANNELS_FIRST))
        for keep in ({}, {"keepdims": True})
    ]


def adaptive_pooling(rank: int) -> list[Case]:
    sizes = {"output_size": [2, 3, 1][:rank]}
    return [
        *((IN[rank], each) for each in ({"output_size": 2}, sizes)),
        (FIRST[rank], {**sizes, **CHANNELS_FIRST}),
    ]


def borders(rank: int, name: str, *, format_told: bool = True) -> list[Case]:
    told = [(IN[rank], {name: each}) for each in PADDINGS[rank]]
    first = [(FIRST[rank], {name: 1, **CHANNELS_FIRST})] if format_told else []
    return [(IN[rank], {}), (OPEN[rank], {}), *told, *first]


def up_sampling(rank: int) -> list[Case]:
    first = [(FIRST[rank], {"size": [3, 1, 2][:rank], **CHANNELS_FIRST})] if rank > 1 else []
    return [(IN[rank], {}), (OPEN[rank], {"size": 3}), *first]


def recurrent(*more: Arguments) -> list[Case]:
    told = ({}, {"return_sequences": True}, {"use_bias": False, "dropout": 0.1}, *more)
    return [
        *((where, {"units": 3, **each}) for where in (SEQUENCE, OPEN[1]) for each in told),
        (SEQUENCE, {"units": 3, "trainable": False}),
    ]


def anywhere(*told: Arguments) -> list[Case]:
    rows = (VECTOR, SEQUENCE, OPEN[1], PICTURE, VOLUME)
    return [(row, arguments) for row in rows for arguments in told]


RATE = anywhere({"rate": 0.0}, {"rate": 0.5, "seed": 1})
PICTURES: dict[str, tuple[Arguments, ...]] = {
    **dict.fromkeys(
        "RandomRotation RandomZoom RandomContrast RandomBrightness RandomHue RandomSaturation "
        "RandomSharpness RandomColorDegeneration".split(),
        ({"factor": 0.2}, {"factor": [0.1, 0.2]}),
    ),
    "RandomZoom": ({"height_factor": 0.2}, {"height_factor": 0.1, "width_factor": 0.2}),
    "RandomTranslation": ({"height_factor": 0.2, "width_factor": 0.2},),
    "RandomFlip": ({}, {"mode": "horizontal", **CHANNELS_FIRST}),
    "RandomPosterization": ({"factor": 3},),
    **dict.fromkeys(
        "RandomShear RandomGrayscale RandomInvert RandomColorJitter RandomGaussianBlur "
        "RandomErasing RandomPerspective RandomElasticTransform AutoContrast Solarization".split(),
        ({},),
    ),
}
SIZE = {"height": 4, "width": 12}
DENSE = {"Dense": {"units": 3}}
CONV = {"Conv2D": {"filters": 2, "kernel_size": 3, "strides": 2}}
SCALED = ({}, {"scale": False}, {"center": False}, {"trainable": False})

# A row and arguments for each layer that has a rule.
CASES: dict[str, list[Case]] = {
    "Dense": [
        *anywhere({"units": 4}, {"units": 2, "use_bias": False}, {"units": 2, "trainable": False}),
        (VECTOR, {"units": 3, "activation": "softmax", "activity_regularizer": {"L1": 0.1}}),
    ],
    "Embedding": anywhere({"input_dim": 9, "output_dim": 2}, {"input_dim": 4, "output_dim": 3}),
    "PReLU": [
        *((row, {}) for row in (VECTOR, SEQUENCE, PICTURE, ())),
        (PICTURE, {"shared_axes": [1, 2]}),
        (SEQUENCE, {"shared_axes": 2, "trainable": False}),
        (OPEN[1], {"shared_axes": 1}),
    ],
    "Flatten": [*anywhere({}, CHANNELS_FIRST), ((), {})],
    "Reshape": [
        (VECTOR, {"target_shape": [3, 2]}),
        (VECTOR, {"target_shape": [1, 2, -1]}),
        (PICTURE, {"target_shape": [-1]}),
        (OPEN[1], {"target_shape": [-1, 3]}),
        ((), {"target_shape": [1, 1]}),
    ],
    "Permute": [
        (VECTOR, {"dims": [1]}),
        (SEQUENCE, {"dims": [2, 1]}),
        (OPEN[2], {"dims": [3, 1, 2]}),
    ],
    "RepeatVector": [(VECTOR, {"n": 3}), ((None,), {"n": 2})],
    "BatchNormalization": [
        *anywhere(*SCALED, {"renorm": True}, {"synchronized": True}),
        *((PICTURE, {"axis": axis}) for axis in (1, -2)),
    ],
    "LayerNormalization": [
        *anywhere(*SCALED),
        *((PICTURE, {"axis": axis}) for axis in (1, [1, -1])),
    ],
    "GroupNormalization": [
        *((row, {"groups": groups}) for row in (VECTOR, PICTURE) for groups in (2, 6, -1)),
        (PICTURE, {"groups": 3, "axis": 2, "scale": False}),
        (PICTURE, {"groups": 1, "center": False, "trainable": False}),
    ],
    "RMSNormalization": [*anywhere({}), (PICTURE, {"axis": [1, 2]}), (PICTURE, {"axis": 1})],
    "UnitNormalization": [*anywhere({}), (PICTURE, {"axis": [1, 2]})],
    "Normalization": anywhere({"mean": 1.0, "variance": 2.0}, {"mean": [0.0], "variance": [1.0]}),
    "Rescaling": anywhere({"scale": 0.5}, {"scale": 2, "offset": -1}),
    "Activation": anywhere({"activation": "tanh"}),
    "ReLU": anywhere({}, {"max_value": 6}),
    "LeakyReLU": anywhere({}, {"negative_slope": 0.1}),
    "ELU": anywhere({}, {"alpha": 0.5}),
    "Softmax": anywhere({}, {"axis": 1}),
    "Identity": anywhere({}),
    "Masking": anywhere({}, {"mask_value": 1.0}),
    "ActivityRegularization": anywhere({"l1": 0.1}),
    "Dropout": RATE,
    "GaussianDropout": RATE,
    "AlphaDropout": RATE,
    "GaussianNoise": anywhere({"stddev": 0.1}),
    **{name: [((8, 9, 3), each) for each in told] for name, told in PICTURES.items()},
    "Resizing": [(PICTURE, SIZE), ((6, 8, 9), SIZE | CHANNELS_FIRST), (OPEN[2], SIZE)],
    "CenterCrop": [(PICTURE, SIZE), ((6, 8, 9), SIZE | CHANNELS_FIRST)],
    "LSTM": recurrent({"unit_forget_bias": False}),
    "GRU": recurrent({"reset_after": False}, {"reset_after": False, "use_bias": False}),
    "SimpleRNN": recurrent({"go_backwards": True}),
    "Bidirectional": [
        *(
            (where, {"layer": {name: {"units": 3, **inner}}, **told})
            for where in (SEQUENCE, OPEN[1])
            for name in ("LSTM", "GRU", "SimpleRNN")
            for inner in ({}, {"return_sequences": True}, {"trainable": False})
            for told in ({}, {"merge_mode": "sum"})
        ),
        *((SEQUENCE, {"layer": {"LSTM": 2}, "merge_mode": mode}) for mode in ("mul", "ave")),
    ],
    "TimeDistributed": [
        *((where, {"layer": DENSE}) for where in (SEQUENCE, OPEN[1], PICTURE)),
        *((VOLUME, {"layer": each}) for each in ("Flatten", CONV, {"MaxPooling2D": 2})),
        (SEQUENCE, {"layer": {"Dense": {"units": 2, "trainable": False}}}),
        (PICTURE, {"layer": {"Bidirectional": {"layer": {"GRU": 2}}}}),
        (VOLUME, {"layer": {"TimeDistributed": {"layer": "BatchNormalization"}}}),
    ],
    **{f"SpatialDropout{rank}D": [(IN[rank], {"rate": 0.5})] for rank in IN},
    **{f"Conv{rank}D": usual_conv(rank) for rank in IN},
    **{f"Conv{rank}DTranspose": conv(rank, transposed=True, filters=4) for rank in IN},
    **{f"SeparableConv{rank}D": separable(rank) for rank in (1, 2)},
    **{f"DepthwiseConv{rank}D": depthwise(rank) for rank in (1, 2)},
    **{f"{kind}Pooling{rank}D": pooling(rank) for kind in ("Max", "Average") for rank in IN},
    **{
        f"Global{kind}Pooling{rank}D": pooling_over_all(rank)
        for kind in ("Max", "Average")
        for rank in IN
    },
    **{
        f"Adaptive{kind}Pooling{rank}D": adaptive_pooling(rank)
        for kind in ("Max", "Average")
        for rank in IN
    },
    **{f"ZeroPadding{rank}D": borders(rank, "padding") for rank in IN},
    **{f"Cropping{rank}D": borders(rank, "cropping", format_told=rank > 1) for rank in IN},
    **{f"UpSampling{rank}D": up_sampling(rank) for rank in IN},
}
# Keras's other words for the same layers.
SHORT = {"MaxPooling": "MaxPool", "AveragePooling": "AvgPool", "Conv": "Convolution"}
OTHER_WORDS = {
    name.replace(long, short): name
    for name in CASES
    for long, short in SHORT.items()
    if name.startswith((long, f"Global{long}", f"Separable{long}"))
}
EVERY = {**CASES, **{other: CASES[name] for other, name in OTHER_WORDS.items()}}


@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_known_layer_has_the_shapes_and_parameters_that_keras_gives_it(
    name: str, keras_says: KerasSays
) -> None:
    for shape, arguments in EVERY[name]:
        stack, row = [Component(name=name, arguments=arguments)], Row(shape)
        found = trace(stack, row)

        assert (found.layers, found.unchecked) == (keras_says(stack, row), None), (shape, arguments)


def test_every_layer_with_a_rule_is_held_against_keras() -> None:
    assert {*EVERY, *component.COMPOSITES} == KNOWN <= set(catalogue.names("layers"))


@pytest.mark.parametrize("name", sorted(set(catalogue.names("layers")) - KNOWN))
def test_a_layer_without_a_rule_leaves_the_rest_unchecked(name: str) -> None:
    dense = Component(name="Dense", arguments={"units": 2})
    found = trace([dense, Component(name=name), dense], Row(VECTOR))

    assert found.layers == (Traced(0, "Dense", (2,), 14, 14),)
    assert (found.unchecked, found.problems) == (1, ())
    assert (found.shape, found.parameters, found.trainable) == (None, None, None)
