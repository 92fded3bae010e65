"""The drawing of a model, for random structures."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun import plots
from nnrun.models.structure import Branches, Group, Layer, LayerSize, Parts, Source, Structure
from nnrun.plots.model import Placement

shapes = st.lists(st.sampled_from([None, 1, 8, 224]), min_size=1, max_size=3).map(tuple)
layers = st.builds(
    Layer,
    st.sampled_from(["Dense", "Conv2D", "ReLU", "BatchNormalization"]),
    st.sampled_from(["", "64", "64, kernel_size 3, strides 2, padding same, use_bias false"]),
    st.builds(LayerSize, shapes, st.sampled_from([0, 9_472])),
)
SOURCE = st.builds(Source, st.just("x0"), st.builds(LayerSize, shapes))
MERGE = st.builds(Layer, st.just("add"), st.just(""), st.builds(LayerSize, shapes))


def _around(parts: st.SearchStrategy[Parts]) -> st.SearchStrategy[Parts]:
    inner = st.one_of(
        layers,
        SOURCE,
        st.builds(
            Group,
            st.sampled_from(["", "bottleneck"]),
            st.sampled_from([1, 3]),
            parts.filter(bool),
        ),
        st.builds(
            Branches,
            st.sampled_from(["Residual", "Branches"]),
            st.lists(parts, min_size=2, max_size=3).map(tuple),
            MERGE,
        ),
    )
    return st.lists(inner, max_size=4).map(tuple)


structures = st.builds(
    Structure,
    st.just((8, 8, 3)),
    st.recursive(st.lists(layers, max_size=3).map(tuple), _around, max_leaves=10),
)


@settings(deadline=None, max_examples=50)
@given(structures)
def test_boxes_edges_and_frames_do_not_overlap(structure: Structure) -> None:
    """Edges go down beside the boxes between; a frame contains exactly its boxes."""
    placement = Placement(structure)
    boxes = list(zip(placement.corners, placement.boxes, strict=True))
    (min_x, _), (max_x, max_y) = placement.bounds()

    for ((x, y), box), ((other_x, other_y), other) in combinations(boxes, 2):
        beside = abs(x - other_x) >= placement.width
        assert beside or y + box.height < other_y or other_y + other.height < y
    for edge, end in placement.edges:
        path = placement.path(edge, end)
        assert all(y < lower for (_, y), (_, lower) in pairwise(path))
        for x, y in path[1:-1]:
            assert not any(
                left < x < left + placement.width and top <= y <= top + box.height
                for (left, top), box in boxes
            )
    assert all(not placement.boxes[end].source for _, end in placement.edges)
    for frame in placement.frames:
        (left, top), (right, bottom) = placement.frame_corners(frame)
        assert min_x <= left
        assert right <= max_x
        assert bottom <= max_y
        for index, (x, y) in enumerate(placement.corners):
            assert (left < x < right and top < y < bottom) == (index in frame.boxes)


def all_layers(parts: Parts) -> list[Layer]:
    layers = []
    for part in parts:
        match part:
            case Layer():
                layers.append(part)
            case Group():
                layers += all_layers(part.parts)
            case Branches():
                layers += [layer for stack in part.stacks for layer in all_layers(stack)]
                layers.append(part.merge)
    return layers


@settings(deadline=None, max_examples=50)
@given(structures)
def test_every_layer_is_drawn_once_and_every_parameter_counted(structure: Structure) -> None:
    boxes, layers = Placement(structure).boxes, all_layers(structure.parts)
    names = [line.split()[0] for box in boxes for line in box.lines]

    assert names[0] == "input"
    assert sum(box.parameters for box in boxes) == sum(layer.size.parameters for layer in layers)
    for name in ("Dense", "Conv2D", "ReLU", "BatchNormalization", "add"):
        assert names.count(name) == sum(layer.name == name for layer in layers)


@pytest.mark.slow
def test_a_very_deep_model_has_a_lower_resolution() -> None:
    """An image has at most 65,536 pixels in a direction."""
    deep = tuple(Layer("Dense", str(units), LayerSize((units,), 10)) for units in range(1, 2000))
    figure = plots.model(Structure((4,), deep))

    assert figure.get_figheight() * figure.dpi < 2**16
