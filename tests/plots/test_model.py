"""The picture of a model, whatever it is made of."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun import plots
from nnrun.models.structure import Branches, Group, Layer, LayerSize, Parts, Structure
from nnrun.plots.model import Placement

shapes = st.lists(st.sampled_from([None, 1, 8, 224]), min_size=1, max_size=3).map(tuple)
layers = st.builds(
    Layer,
    st.sampled_from(["Dense", "Conv2D", "ReLU", "BatchNormalization"]),
    st.sampled_from(["", "64", "64, kernel_size 3, strides 2, padding same, use_bias false"]),
    st.builds(LayerSize, shapes, st.sampled_from([0, 9_472])),
)
MERGE = st.builds(Layer, st.just("add"), st.just(""), st.builds(LayerSize, shapes))


def _around(parts: st.SearchStrategy[Parts]) -> st.SearchStrategy[Parts]:
    inner = st.one_of(
        layers,
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


@settings(deadline=None)
@given(structures)
def test_no_box_lies_on_another(structure: Structure) -> None:
    placing = Placement(structure)
    boxes = list(zip(placing.corners, placing.boxes, strict=True))

    for ((x, y), box), ((other_x, other_y), other) in combinations(boxes, 2):
        beside = abs(x - other_x) >= placing.width
        assert beside or y + box.height < other_y or other_y + other.height < y


@settings(deadline=None)
@given(structures)
def test_ways_go_down_and_pass_beside_the_boxes_between(structure: Structure) -> None:
    placing = Placement(structure)
    boxes = list(zip(placing.corners, placing.boxes, strict=True))

    for link, below in placing.edges:
        way = placing.path(link, below)
        assert all(y < lower for (_, y), (_, lower) in pairwise(way))
        for x, y in way[1:-1]:
            assert not any(
                left < x < left + placing.width and top <= y <= top + box.height
                for (left, top), box in boxes
            )


@settings(deadline=None)
@given(structures)
def test_a_frame_holds_its_boxes_and_no_other_and_lies_on_the_sheet(structure: Structure) -> None:
    placing = Placement(structure)
    (most_left, _), (most_right, lowest) = placing.whole()

    for frame in placing.frames:
        (left, top), (right, bottom) = placing.around(frame)
        assert most_left <= left
        assert right <= most_right
        assert bottom <= lowest
        for at, (x, y) in enumerate(placing.corners):
            inside = left < x < right and top < y < bottom
            assert inside == (at in frame.boxes)


@settings(deadline=None)
@given(structures)
def test_every_layer_is_written_once_and_every_parameter_counted(structure: Structure) -> None:
    def told(parts: Parts) -> list[Layer]:
        found = []
        for part in parts:
            match part:
                case Layer():
                    found.append(part)
                case Group():
                    found += told(part.parts)
                case Branches():
                    found += [layer for way in part.stacks for layer in told(way)] + [part.merge]
        return found

    placing = Placement(structure)
    layers = told(structure.parts)
    written = " ".join(line for box in placing.boxes[:1] for line in box.lines)
    names = [line.split()[0] for box in placing.boxes for line in box.lines]

    assert written.startswith("input")
    assert sum(box.parameters for box in placing.boxes) == sum(
        layer.size.parameters for layer in layers
    )
    for name in ("Dense", "Conv2D", "ReLU", "BatchNormalization", "add"):
        assert names.count(name) == sum(layer.name == name for layer in layers)


@pytest.mark.slow
def test_a_very_deep_model_has_fewer_dots_to_the_inch() -> None:
    """No picture can have more than 65,536 of them in a direction."""
    deep = tuple(Layer("Dense", str(units), LayerSize((units,), 10)) for units in range(1, 2000))
    figure = plots.model(Structure((4,), deep))

    assert figure.get_figheight() * figure.dpi < 2**16
