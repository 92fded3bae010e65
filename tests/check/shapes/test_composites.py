"""Stacks inside a stack have the shape and the parameters that Keras gives them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from nnrun.check.shapes import Row, trace
from nnrun.models.build import build
from nnrun.spec import component
from nnrun.spec.component import Component

CONV = {"Conv2D": {"filters": 4, "kernel_size": 3, "padding": "same"}}
NORM = {"BatchNormalization": {}}
POOL = {"MaxPooling2D": {"pool_size": 3, "strides": 1, "padding": "same"}}
HALF = {"Conv2D": {"filters": 6, "kernel_size": 1, "strides": 2}}
IMAGE = (8, 8, 4)

FIT: dict[str, tuple[str, dict[str, Any]]] = {
    "block": ("Block", {"layers": [CONV, NORM, "ReLU"], "block": "conv"}),
    "a lone layer": ("Block", {"layers": CONV}),
    "repeat": ("Repeat", {"times": 3, "layers": [CONV, NORM]}),
    "residual": ("Residual", {"main": [CONV, NORM]}),
    "residual with a shortcut": ("Residual", {"main": [CONV, HALF], "shortcut": [HALF]}),
    "branches": ("Branches", {"paths": [[CONV], [POOL, NORM], []]}),
    "branches that are added": ("Branches", {"paths": [[CONV], [POOL]], "merge": "add"}),
    "branches of lone layers": ("Branches", {"paths": [CONV, POOL], "merge": "maximum"}),
    "nested": (
        "Repeat",
        {"times": 2, "layers": [{"Residual": {"main": [{"Branches": {"paths": [
            [{"Conv2D": {"filters": 1, "kernel_size": 1}}],
            [{"Conv2D": {"filters": 3, "kernel_size": 1}}],
        ]}}]}}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FIT)
def test_it_has_the_shape_and_the_parameters_that_keras_gives_it(case: str) -> None:
    name, arguments = FIT[case]
    stack = [Component(name=name, arguments=arguments), Component(name="Flatten")]
    found, model = trace(stack, Row(IMAGE)), build(stack, IMAGE)
    trained = sum(math.prod(each.shape) for each in model.trainable_weights)

    assert (found.shape, found.parameters) == (model.output_shape[1:], model.count_params())
    assert found.trainable == trained


def test_each_has_a_case() -> None:
    assert {name for name, _ in FIT.values()} == set(component.COMPOSITES)


DENSE = {"Dense": {"units": 3}}
UNFIT = {
    "residual": (
        ("Residual", {"main": [DENSE]}),
        ("model", 0),
        "Residual cannot follow an output of shape (4,): main puts out (3,) and shortcut (4,); "
        "put layers into shortcut",
    ),
    "branches": (
        ("Branches", {"paths": [[DENSE], []], "merge": "add"}),
        ("model", 0),
        "Branches cannot follow an output of shape (4,): the paths put out (3,), (4,), which do "
        "not go together",
    ),
    "a layer inside": (
        ("Branches", {"paths": [[], [DENSE, CONV]]}),
        ("model", 0, "Branches", "paths", 1, 1),
        "Conv2D cannot follow an output of shape (3,): it takes rows of shape (height, width, "
        "channels)",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_does_not_go_together_is_told_where_it_stands(case: str) -> None:
    (name, arguments), path, message = UNFIT[case]
    [problem] = trace([Component(name=name, arguments=arguments)], Row((4,))).problems

    assert (problem.path, problem.message) == (path, message)
