"""Random layers and stacks have the shapes and parameters that Keras gives them."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from nnrun.check.shapes import SUPPORTED, Shape, trace
from nnrun.errors import IncompatibleSpec
from nnrun.spec.component import ATTENTION, COMPOSITES, SOURCES, Component
from tests.check.shapes.reference import keras_outputs

# A layer without masking support follows an `Embedding` with `mask_zero`.
pytestmark = pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")

Strategy = st.SearchStrategy[Any]
Stack = tuple[list[Component], Shape, str]

small, rate, boolean = st.integers(1, 5), st.floats(0, 0.9), st.booleans()
lengths, fraction = st.integers(1, 9), st.floats(0.1, 0.9)
LARGEST = 20_000  # values in a row, beyond which a stack ends

FORMAT = {"data_format": st.sampled_from(["channels_last", "channels_first"])}
FROZEN = {"trainable": boolean}
ACTIVATION = st.sampled_from(["relu", "tanh", "linear", "softmax", None])
RANKS = (1, 2, 3)


def arguments(required: dict[str, Strategy] | None = None, **optional: Strategy) -> Strategy:
    return st.fixed_dictionaries(required or {}, optional=optional)


def per_dimension(rank: int, values: Strategy) -> Strategy:
    """One value for all dimensions, or one for each."""
    return values | st.lists(values, min_size=rank, max_size=rank)


def kernels(rank: int, *, transposed: bool = False, **required: Strategy) -> Strategy:
    causal = ["causal"] if rank == 1 and "filters" in required and not transposed else []
    optional = {
        "padding": st.sampled_from(["valid", "same", *causal]),
        "use_bias": boolean,
        "activation": ACTIVATION,
        **FROZEN,
        **FORMAT,
        **({"output_padding": per_dimension(rank, st.integers(0, 2))} if transposed else {}),
    }
    kernel = {"kernel_size": per_dimension(rank, small), **required}
    strided = arguments(kernel, strides=per_dimension(rank, small), **optional)
    dilated = arguments(kernel, dilation_rate=per_dimension(rank, st.integers(1, 3)), **optional)
    return strided | dilated


def convolutions(rank: int) -> Strategy:
    by_groups = st.tuples(small, st.integers(1, 3), kernels(rank, filters=small))
    grouped = by_groups.map(lambda t: {**t[2], "filters": t[0] * t[1], "groups": t[1]})
    return kernels(rank, filters=small) | grouped


def deep_convolutions(rank: int, **required: Strategy) -> Strategy:
    padding = {"padding": st.sampled_from(["valid", "same"])}
    both = st.tuples(kernels(rank, **required), arguments(padding, depth_multiplier=small))
    return both.map(lambda pair: {**pair[0], **pair[1]})


def pools(rank: int) -> Strategy:
    padding = st.sampled_from(["valid", "same"])
    size = {"pool_size": per_dimension(rank, small)}
    return arguments(
        size, strides=per_dimension(rank, small) | st.none(), padding=padding, **FORMAT
    )


def sides(rank: int) -> Strategy:
    few = st.integers(0, 3)
    pair = few | st.lists(few, min_size=2, max_size=2)
    many = 2 if rank == 1 else rank
    return few | st.lists(few if rank == 1 else pair, min_size=many, max_size=many)


ONE_INPUT = SUPPORTED - COMPOSITES.keys() - SOURCES.keys()
axes = st.integers(-4, -1) | st.integers(1, 4)
several_axes = st.lists(st.integers(1, 4), min_size=1, max_size=2, unique=True)
scaled = {"scale": boolean, "center": boolean, **FROZEN}
recurrent = {"return_sequences": boolean, "use_bias": boolean, "dropout": rate, **FROZEN}
attention = {"use_bias": boolean, "use_gate": boolean, "use_causal_mask": boolean, **FROZEN}
units = {"units": small}
inner = st.deferred(
    lambda: st.sampled_from(sorted(ARGUMENTS)).flatmap(
        lambda name: ARGUMENTS[name].map(lambda chosen: {name: chosen})
    )
)
cells = st.sampled_from(["LSTM", "GRU", "SimpleRNN"]).flatmap(
    lambda name: arguments(units, **recurrent).map(lambda chosen: {name: chosen})
)

ARGUMENTS: dict[str, Strategy] = {
    **dict.fromkeys(ONE_INPUT, arguments(**FROZEN)),
    "Dense": arguments(units, use_bias=boolean, activation=ACTIVATION, **FROZEN),
    "Embedding": arguments({"input_dim": small, "output_dim": small}, mask_zero=boolean, **FROZEN),
    "EinsumDense": st.sampled_from(
        [
            {"equation": "abc,cd->abd", "output_shape": [None, 4], "bias_axes": "d"},
            {"equation": "abc,cde->abde", "output_shape": [None, 2, 3], "bias_axes": "e"},
            {"equation": "abc,bcd->ad", "output_shape": 3, "trainable": False},
            {"equation": "abc,c->abc", "output_shape": [None, 6], "bias_axes": "c"},
            {"equation": "...c,cd->...d", "output_shape": 3},
        ]
    ),
    "PReLU": arguments(shared_axes=st.integers(1, 4) | several_axes, **FROZEN),
    "Reshape": arguments({"target_shape": st.lists(lengths | st.just(-1), min_size=1, max_size=3)}),
    "Permute": arguments(
        {"dims": st.integers(1, 4).flatmap(lambda n: st.permutations(range(1, n + 1)))}
    ),
    "RepeatVector": arguments({"n": small}),
    "BatchNormalization": arguments(axis=axes, renorm=boolean, **scaled),
    "LayerNormalization": arguments(axis=axes | several_axes, **scaled),
    "GroupNormalization": arguments({"groups": small | st.just(-1)}, axis=axes, **scaled),
    "RMSNormalization": arguments(axis=axes, **FROZEN),
    "UnitNormalization": arguments(axis=axes | several_axes),
    "Normalization": arguments({"mean": fraction, "variance": fraction}, invert=boolean),
    "Rescaling": arguments({"scale": fraction}, offset=fraction),
    "Activation": arguments({"activation": ACTIVATION}),
    "GaussianNoise": arguments({"stddev": fraction}),
    **dict.fromkeys(
        ("Dropout", "GaussianDropout", "AlphaDropout"), arguments({"rate": rate}, **FROZEN)
    ),
    **dict.fromkeys(
        ("Resizing", "CenterCrop"), arguments({"height": small, "width": lengths}, **FORMAT)
    ),
    **dict.fromkeys(
        "RandomRotation RandomContrast RandomBrightness RandomHue RandomSaturation "
        "RandomSharpness RandomColorDegeneration".split(),
        arguments({"factor": fraction}, **FROZEN),
    ),
    "RandomPosterization": arguments({"factor": small}),
    "RandomZoom": arguments({"height_factor": fraction}),
    "RandomTranslation": arguments({"height_factor": fraction, "width_factor": fraction}),
    "LSTM": arguments(units, **recurrent),
    "GRU": arguments(units, reset_after=boolean, **recurrent),
    "SimpleRNN": arguments(units, **recurrent),
    "Bidirectional": arguments(
        {"layer": cells}, merge_mode=st.sampled_from(["concat", "sum", "mul", "ave"])
    ),
    "TimeDistributed": arguments({"layer": inner}),
    **{f"SpatialDropout{rank}D": arguments({"rate": rate}) for rank in RANKS},
    **{f"Conv{rank}D": convolutions(rank) for rank in RANKS},
    **{f"Conv{rank}DTranspose": kernels(rank, transposed=True, filters=small) for rank in RANKS},
    **{f"SeparableConv{rank}D": deep_convolutions(rank, filters=small) for rank in (1, 2)},
    **{f"DepthwiseConv{rank}D": deep_convolutions(rank) for rank in (1, 2)},
    **{f"{kind}Pooling{rank}D": pools(rank) for kind in ("Max", "Average") for rank in RANKS},
    **{
        f"Global{kind}Pooling{rank}D": arguments(keepdims=boolean, **FORMAT)
        for kind in ("Max", "Average")
        for rank in RANKS
    },
    **{
        f"Adaptive{kind}Pooling{rank}D": arguments(
            {"output_size": per_dimension(rank, small)}, **FORMAT
        )
        for kind in ("Max", "Average")
        for rank in RANKS
    },
    **{f"ZeroPadding{rank}D": arguments(padding=sides(rank), **FORMAT) for rank in RANKS},
    **{f"Cropping{rank}D": arguments(cropping=sides(rank)) for rank in RANKS},
    **{
        f"UpSampling{rank}D": arguments(size=per_dimension(rank, st.integers(1, 3)))
        for rank in (2, 3)
    },
    "UpSampling1D": arguments(size=small),
    "MultiHeadAttention": arguments(
        {"num_heads": small, "key_dim": small},
        value_dim=small,
        attention_axes=st.integers(1, 2) | st.lists(st.integers(1, 3), min_size=1, unique=True),
        output_shape=small | st.lists(small, min_size=1, max_size=2),
        **attention,
    ),
    "GroupQueryAttention": arguments(
        {"num_query_heads": small, "num_key_value_heads": st.integers(1, 2), "head_dim": small},
        **attention,
    ),
    "Attention": arguments(use_scale=boolean, score_mode=st.sampled_from(["dot", "concat"])),
    "AdditiveAttention": arguments(use_scale=boolean, use_causal_mask=boolean, **FROZEN),
}
# Keras has a second name for some layers.
SHORT = {"MaxPooling": "MaxPool", "AveragePooling": "AvgPool", "Conv": "Convolution"}
for _name in sorted(ARGUMENTS):
    for _long, _short in SHORT.items():
        if _long in _name and (_alias := _name.replace(_long, _short)) in SUPPORTED:
            ARGUMENTS[_alias] = ARGUMENTS[_name]
DIMENSIONS = {"LSTM": 2, "GRU": 2, "SimpleRNN": 2, "Bidirectional": 2, "RepeatVector": 1}
DIMENSIONS |= dict.fromkeys([*ATTENTION, "EinsumDense"], 2)
IMAGE_LAYERS = (
    *("Resizing", "CenterCrop", "AutoContrast", "Solarization", "MixUp", "CutMix"),
    *("RandAugment", "AugMix", "ContrastLimitedAdaptiveHistogramEqualization"),
)


def accepts(name: str, dimensions: int) -> bool:
    """Whether a layer accepts rows with that many dimensions, as far as its name shows."""
    if name.startswith("Random") or name in IMAGE_LAYERS:
        return dimensions == 3
    by_name = re.search(r"(\d)D", name)
    expected = int(by_name[1]) + 1 if by_name else DIMENSIONS.get(name, dimensions)
    return expected == dimensions


@st.composite
def stacks(draw: st.DrawFn, first: str | None = None) -> Stack:
    """Layers, most of which accept their input, its shape and dtype.

    Args:
        draw: draws from a strategy.
        first: the only layer.
    """
    known = lengths if first is None else st.integers(6, 9)
    length = known if draw(st.integers(0, 4)) else known | st.none()
    dimensions = draw(
        st.sampled_from([n for n in (2, 3, 1, 3, 4, 2, 3, 0) if not first or accepts(first, n)])
    )
    shape = tuple(draw(length) for _ in range(dimensions))
    if first is not None:
        channels = st.just(3) if first in IMAGE_LAYERS or first.startswith("Random") else length
        shape = (*shape[:-1], draw(channels)) if shape else shape
        return [Component(name=first, arguments=draw(ARGUMENTS[first]))], shape, "float32"
    layers: list[Component] = []
    output: Shape | None = shape
    for _ in range(draw(small)):
        fitting = [n for n in sorted(ARGUMENTS) if output is None or accepts(n, len(output))]
        name = draw(st.sampled_from(fitting if draw(st.integers(0, 9)) else sorted(ARGUMENTS)))
        layers.append(Component(name=name, arguments=draw(ARGUMENTS[name])))
        output = trace(layers, shape).shape
        if output is not None:
            size = math.prod(1 if length is None else length for length in output)
            if len(output) > 5 or size > LARGEST:
                break
    return layers, shape, draw(st.sampled_from(["float32", "int32"]))


def lenient(name: str) -> bool:
    """Whether Keras builds a layer for some rows that it cannot process.

    `LayerNormalization` accepts an axis of unknown length if it has no weights, the output of a
    transposed convolution may be empty, and attention accepts rows without a length.
    """
    kinds = ("Random", "Adaptive", "TimeDistributed", "LayerNormalization", "EinsumDense")
    return (
        name in (*IMAGE_LAYERS, *ATTENTION) or name.startswith(kinds) or name.endswith("Transpose")
    )


def compare(layers: list[Component], shape: Shape, dtype: str) -> bool:
    """Compares all outputs with Keras; returns whether all are known."""
    result = trace(layers, shape)
    try:
        expected = keras_outputs(layers, shape, dtype)
    except IncompatibleSpec as error:
        refused = error.path
    else:
        refused = ()
    if refused:
        index = int(refused[1])
        event("refused, predicted" if result.problems else "refused, not predicted")
        expected = keras_outputs(layers[:index], shape, dtype) if index else ()

        assert result.layers[:index] == expected[: len(result.layers)]
        assert [problem.path for problem in result.problems] in ([], [refused])
        return False
    event("built, known" if result.unchecked is None else "built, unknown")

    attends = result.unchecked is not None and layers[result.unchecked].name in ATTENTION
    # Keras would let rows without a length attend to each other.
    assert result.problems == () or attends
    assert result.layers == expected[: len(result.layers)]
    assert result.unchecked is None or lenient(layers[result.unchecked].name)
    return result.unchecked is None


REPEATABLE = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.nested_given],
)


@pytest.mark.parametrize("name", sorted(ONE_INPUT))
def test_every_layer_has_the_shape_and_parameters_of_keras(name: str) -> None:
    known: list[bool] = []

    @settings(REPEATABLE, max_examples=8)
    @given(stacks(name))
    def compare_layer(stack: Stack) -> None:
        known.append(compare(*stack))

    compare_layer()

    assert any(known)


@settings(REPEATABLE, max_examples=100)
@given(stacks())
def test_a_stack_has_the_shapes_and_parameters_of_keras(stack: Stack) -> None:
    compare(*stack)


@settings(REPEATABLE, max_examples=80)
@given(stacks(), st.integers(0, 15))
def test_an_unknown_length_changes_no_known_result(stack: Stack, unknown: int) -> None:
    """Fewer results may be known for such a stack, but none differ; an error may be found later."""
    layers, shape, _ = stack
    hidden = tuple(None if unknown & 1 << axis else size for axis, size in enumerate(shape))
    complete, partial = trace(layers, shape), trace(layers, hidden)

    for less, more in zip(partial.layers, complete.layers, strict=False):
        assert (less.parameters, less.trainable) == (more.parameters, more.trainable)
        assert all(a in (None, b) for a, b in zip(less.shape, more.shape, strict=True))
    paths = [[problem.path for problem in result.problems] for result in (partial, complete)]
    assert paths[0] == [] or [] < paths[1] <= paths[0]


@pytest.mark.slow
@settings(REPEATABLE, max_examples=6000, derandomize=False)
@given(stacks())
def test_thousands_of_stacks_have_the_shapes_and_parameters_of_keras(stack: Stack) -> None:
    compare(*stack)
