"""Models with named outputs, merges, attention and shared layers equal Keras models by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from keras import layers

from nnrun.check.shapes import trace
from nnrun.models import saved
from nnrun.models.build import build, wire
from nnrun.models.structure import Branches, Layer, LayerSize, Source
from nnrun.spec import catalogue
from nnrun.spec.component import Component

Shape = tuple[int, ...]


def parse(text: str) -> list[Component]:
    return [catalogue.parse_component("layers", layer) for layer in yaml.safe_load(text)]


CROSS = "Residual: {main: [{Branches: {paths: [[from: x0], [Dense: 6]], merge: multiply}}]}"
DEEP_AND_CROSS = f"[Identity: {{name: x0}}, {CROSS}, {CROSS}, Dense: 1]"


def deep_and_cross(x: Any) -> Any:
    crossed = x
    for _ in range(2):
        crossed = crossed + x * layers.Dense(6)(crossed)
    return layers.Dense(1)(crossed)


SQUEEZE_AND_EXCITATION = """
- Conv2D: {filters: 8, kernel_size: 3}
- Branches:
    paths:
      - []
      - [GlobalAveragePooling2D: {keepdims: true}, Dense: {units: 2, activation: relu},
         Dense: {units: 8, activation: sigmoid}]
    merge: multiply
- Branches: {paths: [[], [GlobalMaxPooling2D]], merge: multiply}
"""


def squeeze_and_excitation(x: Any) -> Any:
    x = layers.Conv2D(8, 3)(x)
    scale = layers.GlobalAveragePooling2D(keepdims=True)(x)
    scale = layers.Dense(8, activation="sigmoid")(layers.Dense(2, activation="relu")(scale))
    x = layers.Multiply()([x, scale])
    return layers.Multiply()([x, layers.GlobalMaxPooling2D()(x)])


TRANSFORMER = """
- Residual: {main: [LayerNormalization, MultiHeadAttention: {num_heads: 2, key_dim: 4}]}
- Residual: {main: [LayerNormalization, Dense: {units: 12, activation: gelu}, Dense: 6]}
- GroupQueryAttention: {head_dim: 3, num_query_heads: 4, num_key_value_heads: 2, use_causal_mask: true}
- AdditiveAttention
- Attention: {use_scale: true, use_causal_mask: true}
"""


def transformer(x: Any) -> Any:
    normal = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(2, 4)(normal, normal)
    normal = layers.LayerNormalization()(x)
    x = x + layers.Dense(6)(layers.Dense(12, activation="gelu")(normal))
    x = layers.GroupQueryAttention(3, 4, 2)(x, x, use_causal_mask=True)
    x = layers.AdditiveAttention()([x, x])
    return layers.Attention(use_scale=True)([x, x], use_causal_mask=True)


CROSS_ATTENTION = """
- Dense: {units: 5, name: memory}
- from: input
- Conv1D: {filters: 6, kernel_size: 2, name: query}
- MultiHeadAttention: {num_heads: 2, key_dim: 3, value: {from: memory}}
- Attention: {value: {from: query}, key: {from: query}}
"""


def cross_attention(x: Any) -> Any:
    memory, query = layers.Dense(5)(x), layers.Conv1D(6, 2)(x)
    attended = layers.MultiHeadAttention(2, 3)(query, memory)
    return layers.Attention()([attended, query, query])


SIAMESE = """
- Branches:
    paths:
      - [Cropping1D: [0, 4], Flatten, Dense: {units: 4, activation: relu, shared: tower}]
      - [Cropping1D: [4, 0], Flatten, Dense: {units: 4, activation: relu, shared: tower}]
    merge: {dot: {axes: 1, normalize: true}}
- Dense: 1
"""


def siamese(x: Any) -> Any:
    tower = layers.Dense(4, activation="relu")
    first, second = (
        tower(layers.Flatten()(layers.Cropping1D(crop)(x))) for crop in ((0, 4), (4, 0))
    )
    return layers.Dense(1)(layers.Dot(1, normalize=True)([first, second]))


REPEATED = """
- Repeat:
    times: 2
    layers:
      - Dense: {units: 6, name: h}
      - Branches: {paths: [[from: h, ReLU], [Dense: {units: 6, shared: cell}]], merge: subtract}
- Branches: {paths: [[from: h], []], merge: {concatenate: 1}}
"""


def repeated(x: Any) -> Any:
    cell = layers.Dense(6)
    for _ in range(2):
        h = layers.Dense(6)(x)
        x = layers.Subtract()([layers.ReLU()(h), cell(h)])
    return layers.Concatenate(1)([h, x])


CASES: dict[str, tuple[str, Callable[[Any], Any], Shape]] = {
    "deep and cross": (DEEP_AND_CROSS, deep_and_cross, (6,)),
    "squeeze and excitation": (SQUEEZE_AND_EXCITATION, squeeze_and_excitation, (8, 8, 3)),
    "transformer": (TRANSFORMER, transformer, (8, 6)),
    "cross attention": (CROSS_ATTENTION, cross_attention, (8, 3)),
    "siamese": (SIAMESE, siamese, (8, 3)),
    "repeated": (REPEATED, repeated, (6,)),
}


@pytest.mark.parametrize("case", CASES)
def test_its_output_is_that_of_the_model_by_hand(case: str, tmp_path: Path) -> None:
    """With the same weights, also after it was saved and read; `check` knows its size."""
    text, apply, shape = CASES[case]
    model, x = build(parse(text), shape), keras.Input(shape)
    by_hand = keras.Model(x, apply(x))
    by_hand.set_weights(model.get_weights())
    model.save(tmp_path / "model.keras")
    rows = np.random.default_rng(0).normal(size=(5, *shape)).astype("float32")
    known = trace(parse(text), shape)

    np.testing.assert_allclose(model(rows), by_hand(rows), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(saved.read(tmp_path / "model.keras")(rows), model(rows))
    assert (known.shape, known.parameters) == (model.output_shape[1:], model.count_params())


def test_a_repeated_name_is_numbered_in_keras() -> None:
    names = [layer.name for layer in build(parse(REPEATED), (6,)).layers]

    assert [name for name in names if name in ("h", "h_1", "cell")] == ["h", "cell", "h_1"]


def test_a_shared_layer_has_the_names_of_all_its_uses() -> None:
    text = "[Dense: {units: 3, shared: tower, name: a}, Dense: {units: 3, shared: tower, name: b}]"
    [tower] = wire(parse(text), (3,)).layers

    assert tower.names == {"Dense", "tower", "a", "b"}


def test_its_structure_names_sources_and_counts_shared_weights_once() -> None:
    text = "[Dense: {units: 6, name: x0}, Branches: {paths: [[from: x0], [Dense: 6]], merge: add}]"
    structure = wire(parse(text), (6,)).structure
    size = LayerSize((6,))

    assert structure.parts == (
        Layer("Dense", "6, name x0", LayerSize((6,), 42)),
        Branches(
            "Branches",
            ((Source("x0", size),), (Layer("Dense", "6", LayerSize((6,), 42)),)),
            Layer("add", "", size),
        ),
    )
    [part, _] = wire(parse(SIAMESE), (8, 3)).structure.parts
    assert isinstance(part, Branches)
    dense = [layer for stack in part.stacks for layer in stack if isinstance(layer, Layer)]
    assert [layer.size.parameters for layer in dense] == [0, 0, 52, 0, 0, 0]
