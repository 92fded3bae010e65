"""Stacks drawn at random: what is said of them is what Keras makes of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from nnrun.check.shapes import KNOWN, Row, Traced, trace
from nnrun.errors import IncompatibleSpec
from nnrun.spec import component
from nnrun.spec.component import Component

# Of a mask that a layer does not hand on.
pytestmark = pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")

KerasSays = Callable[[list[Component], Row], tuple[Traced, ...]]
Strategy = st.SearchStrategy[Any]

small, rate, yes_or_no = st.integers(1, 5), st.floats(0, 0.9), st.booleans()
LARGEST = 20_000  # numbers in a row, beyond which a stack ends

ORDER = {"data_format": st.sampled_from(["channels_last", "channels_first"])}
FROZEN = {"trainable": yes_or_no}
WORD = st.sampled_from(["relu", "tanh", "linear", "softmax", None])


def told(needed: dict[str, Strategy] | None = None, **optional: Strategy) -> Strategy:
    """Arguments of a layer."""
    return st.fixed_dictionaries(needed or {}, optional=optional)


def directions(rank: int, values: Strategy) -> Strategy:
    """One value for all directions, or one for each."""
    return values | st.lists(values, min_size=rank, max_size=rank)


def kernels(rank: int, *, transposed: bool = False, **needed: Strategy) -> Strategy:
    padding = ["valid", "same", *(["causal"] if rank == 1 and "filters" in needed else [])]
    extra = directions(rank, st.integers(0, 2))
    usual = {
        "padding": st.sampled_from(padding),
        "use_bias": yes_or_no,
        "activation": WORD,
        **FROZEN,
        **ORDER,
        **({"output_padding": extra} if transposed else {}),
    }
    kernel = {"kernel_size": directions(rank, small), **needed}
    strided = told(kernel, strides=directions(rank, small), **usual)
    return strided | told(kernel, dilation_rate=directions(rank, st.integers(1, 3)), **usual)


def grouped(rank: int) -> Strategy:
    by_groups = st.tuples(small, st.integers(1, 3), kernels(rank, filters=small))
    grouped = by_groups.map(lambda t: {**t[2], "filters": t[0] * t[1], "groups": t[1]})
    return kernels(rank, filters=small) | grouped


def deep(rank: int, **needed: Strategy) -> Strategy:
    return st.tuples(kernels(rank, **needed), told(depth_multiplier=small)).map(
        lambda both: {**both[0], **both[1], "padding": _plain(both[0].get("padding"))}
    )


def _plain(padding: Any) -> str:
    return "same" if padding == "same" else "valid"


def pools(rank: int) -> Strategy:
    padding = st.sampled_from(["valid", "same"])
    size = {"pool_size": directions(rank, small)}
    return told(size, strides=directions(rank, small) | st.none(), padding=padding, **ORDER)


def sides(rank: int) -> Strategy:
    few = st.integers(0, 3)
    pair = few | st.lists(few, min_size=2, max_size=2)
    many = 2 if rank == 1 else rank
    return few | st.lists(few if rank == 1 else pair, min_size=many, max_size=many)


axes = st.integers(-4, -1) | st.integers(1, 4)
several = st.lists(st.integers(1, 4), min_size=1, max_size=2, unique=True)
scaled = {"scale": yes_or_no, "center": yes_or_no, **FROZEN}
recurrent = {"return_sequences": yes_or_no, "use_bias": yes_or_no, "dropout": rate, **FROZEN}
fraction = st.floats(0.1, 0.9)
units = {"units": small}
inner = st.deferred(
    lambda: st.sampled_from(sorted(ARGUMENTS)).flatmap(
        lambda name: ARGUMENTS[name].map(lambda arguments: {name: arguments})
    )
)
cells = st.sampled_from(["LSTM", "GRU", "SimpleRNN"]).flatmap(
    lambda name: told(units, **recurrent).map(lambda arguments: {name: arguments})
)
lengths = st.integers(1, 9)
dropping = told({"rate": rate}, **FROZEN)
factor = told({"factor": fraction}, **FROZEN)
plain = told(**FROZEN)

ARGUMENTS: dict[str, Strategy] = {
    **dict.fromkeys(KNOWN - component.COMPOSITES.keys(), plain),
    "Dense": told(units, use_bias=yes_or_no, activation=WORD, **FROZEN),
    "Embedding": told({"input_dim": small, "output_dim": small}, mask_zero=yes_or_no, **FROZEN),
    "PReLU": told(shared_axes=st.integers(1, 4) | several, **FROZEN),
    "Reshape": told({"target_shape": st.lists(lengths | st.just(-1), min_size=1, max_size=3)}),
    "Permute": told(
        {"dims": st.integers(1, 4).flatmap(lambda n: st.permutations(range(1, n + 1)))}
    ),
    "RepeatVector": told({"n": small}),
    "BatchNormalization": told(axis=axes, renorm=yes_or_no, **scaled),
    "LayerNormalization": told(axis=axes | several, **scaled),
    "GroupNormalization": told({"groups": small | st.just(-1)}, axis=axes, **scaled),
    "RMSNormalization": told(axis=axes, **FROZEN),
    "UnitNormalization": told(axis=axes | several),
    "Normalization": told({"mean": fraction, "variance": fraction}, invert=yes_or_no),
    "Rescaling": told({"scale": fraction}, offset=fraction),
    "Activation": told({"activation": WORD}),
    "GaussianNoise": told({"stddev": fraction}),
    **dict.fromkeys(("Dropout", "GaussianDropout", "AlphaDropout"), dropping),
    **dict.fromkeys(("Resizing", "CenterCrop"), told({"height": small, "width": lengths}, **ORDER)),
    **dict.fromkeys(
        "RandomRotation RandomContrast RandomBrightness RandomHue RandomSaturation "
        "RandomSharpness RandomColorDegeneration".split(),
        factor,
    ),
    "RandomPosterization": told({"factor": small}),
    "RandomZoom": told({"height_factor": fraction}),
    "RandomTranslation": told({"height_factor": fraction, "width_factor": fraction}),
    "LSTM": told(units, **recurrent),
    "GRU": told(units, reset_after=yes_or_no, **recurrent),
    "SimpleRNN": told(units, **recurrent),
    "Bidirectional": told(
        {"layer": cells}, merge_mode=st.sampled_from(["concat", "sum", "mul", "ave"])
    ),
    "TimeDistributed": told({"layer": inner}),
    **{f"SpatialDropout{rank}D": told({"rate": rate}) for rank in (1, 2, 3)},
    **{f"{word}{rank}D": grouped(rank) for word in ("Conv", "Convolution") for rank in (1, 2, 3)},
    **{
        f"{word}{rank}DTranspose": kernels(rank, transposed=True, filters=small)
        for word in ("Conv", "Convolution")
        for rank in (1, 2, 3)
    },
    **{
        f"Separable{word}{rank}D": deep(rank, filters=small)
        for word in ("Conv", "Convolution")
        for rank in (1, 2)
    },
    **{f"DepthwiseConv{rank}D": deep(rank) for rank in (1, 2)},
    **{
        f"{kind}{rank}D": pools(rank)
        for kind in ("MaxPooling", "MaxPool", "AveragePooling", "AvgPool")
        for rank in (1, 2, 3)
    },
    **{
        f"Global{kind}{rank}D": told(keepdims=yes_or_no, **ORDER)
        for kind in ("MaxPooling", "MaxPool", "AveragePooling", "AvgPool")
        for rank in (1, 2, 3)
    },
    **{
        f"Adaptive{kind}Pooling{rank}D": told({"output_size": directions(rank, small)}, **ORDER)
        for kind in ("Max", "Average")
        for rank in (1, 2, 3)
    },
    **{f"ZeroPadding{rank}D": told(padding=sides(rank), **ORDER) for rank in (1, 2, 3)},
    **{f"Cropping{rank}D": told(cropping=sides(rank)) for rank in (1, 2, 3)},
    **{f"UpSampling{rank}D": told(size=directions(rank, st.integers(1, 3))) for rank in (2, 3)},
    "UpSampling1D": told(size=small),
}
TAKES = {"LSTM": 2, "GRU": 2, "SimpleRNN": 2, "Bidirectional": 2, "RepeatVector": 1}


def suits(name: str, dimensions: int) -> bool:
    """Whether a layer takes rows of so many dimensions, as far as its name says."""
    if name in TAKES:
        return TAKES[name] == dimensions
    if name.startswith("Random") or name in ("Resizing", "CenterCrop"):
        return dimensions == 3
    found = re.search(r"(\d)D", name)
    return found is None or int(found[1]) + 1 == dimensions


@st.composite
def stacks(draw: st.DrawFn) -> tuple[list[Component], Row]:
    """Mostly layers that suit what they follow."""
    length = lengths if draw(st.integers(0, 4)) else lengths | st.none()
    dtype = draw(st.sampled_from(["float32", "int32"]))
    dimensions = draw(st.sampled_from([2, 3, 1, 3, 4, 2, 3, 0]))
    row = Row(tuple(draw(length) for _ in range(dimensions)), dtype)
    stack: list[Component] = []
    shape: tuple[int | None, ...] | None = row.shape
    for _ in range(draw(small)):
        suiting = [n for n in sorted(ARGUMENTS) if shape is None or suits(n, len(shape))]
        name = draw(st.sampled_from(suiting if draw(st.integers(0, 9)) else sorted(ARGUMENTS)))
        stack.append(Component(name=name, arguments=draw(ARGUMENTS[name])))
        shape = trace(stack, row).shape
        if shape is not None and (len(shape) > 5 or _numbers(shape) > LARGEST):
            break
    return stack, row


def _numbers(shape: tuple[int | None, ...]) -> int:
    product = 1
    for length in shape:
        product *= length or 1
    return product


def loose(name: str) -> bool:
    """Whether Keras lets a layer stand on some rows that it cannot work on, or only by chance.

    `LayerNormalization` stands along an axis of unknown length where it has nothing to learn, and
    a transposed convolution may leave nothing of a row.
    """
    kinds = ("Random", "Adaptive", "TimeDistributed", "LayerNormalization")
    pictures = name in ("Resizing", "CenterCrop", "AutoContrast", "Solarization")
    return pictures or name.startswith(kinds) or name.endswith("Transpose")


def compare(stack: list[Component], row: Row, keras_says: KerasSays) -> None:
    found = trace(stack, row)
    try:
        said = keras_says(stack, row)
    except IncompatibleSpec as refused:
        compare_refusal(stack, row, refused, keras_says)
        return
    event("built, and followed" if found.unchecked is None else "built, and unchecked")

    assert found.problems == ()
    assert found.layers == said[: len(found.layers)]
    assert found.unchecked is None or loose(stack[found.unchecked].name)


def compare_refusal(
    stack: list[Component], row: Row, refused: IncompatibleSpec, keras_says: KerasSays
) -> None:
    found = trace(stack, row)
    _, index = refused.path
    assert isinstance(index, int)
    event("refused, and foreseen" if found.problems else "refused, and not foreseen")
    before = keras_says(stack[:index], row) if index else ()

    assert found.layers[:index] == before[: len(found.layers)]
    assert [problem.path for problem in found.problems] in ([], [refused.path])


TRIED = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@settings(TRIED, max_examples=120)
@given(stacks())
def test_a_stack_is_followed_as_keras_builds_it(
    keras_says: KerasSays, drawn: tuple[list[Component], Row]
) -> None:
    compare(*drawn, keras_says)


@settings(TRIED, max_examples=80)
@given(stacks(), st.integers(0, 15))
def test_a_length_that_is_not_known_changes_nothing_that_is_said(
    drawn: tuple[list[Component], Row], unknown: int
) -> None:
    """Less may be said of such a stack, and nothing else."""
    stack, row = drawn
    hidden = (None if unknown & 1 << axis else each for axis, each in enumerate(row.shape))
    with_all, without = trace(stack, row), trace(stack, Row(tuple(hidden)))

    for less, more in zip(without.layers, with_all.layers, strict=False):
        assert (less.parameters, less.trainable) == (more.parameters, more.trainable)
        assert all(few in (None, many) for few, many in zip(less.shape, more.shape, strict=True))
    assert [each.path for each in without.problems] in (
        [],
        [each.path for each in with_all.problems],
    )


@pytest.mark.slow
@settings(TRIED, max_examples=6000, derandomize=False)
@given(stacks())
def test_thousands_of_stacks_are_followed_as_keras_builds_them(
    keras_says: KerasSays, drawn: tuple[list[Component], Row]
) -> None:
    compare(*drawn, keras_says)
