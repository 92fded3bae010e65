"""The shipped catalogue agrees with the installed Keras."""

import json
from importlib import resources
from typing import Any

import keras
import pytest

from nnrun.models import catalogue as listing
from nnrun.spec import catalogue as shipped
from nnrun.spec import component, keras_names
from tests.models import layers

# Values of required arguments, to test the others.
NEEDED: dict[str, Any] = {
    **{name: value for name, value in layers.NEEDED.items() if isinstance(value, (int, float))},
    **dict.fromkeys(("groups", "size", "num_classes", "num_tokens"), 2),
    **dict.fromkeys(("recall", "precision", "specificity", "sensitivity", "value"), 0.5),
    **dict.fromkeys(("filename", "filepath", "backup_dir", "directory"), "x.keras"),
    "target_class_ids": [0],
    "bounding_box_format": "xyxy",
    "source": "xyxy",
    "target": "xywh",
}
# Arguments with a default that some classes still need.
ALSO = {"CategoryEncoding": {"num_tokens": 2}, "Discretization": {"bin_boundaries": [0.5]}}


@pytest.fixture(scope="module")
def text():
    return listing.text()


def test_the_shipped_catalogue_is_up_to_date(text):
    """Update it with `python -m nnrun.models.catalogue > nnrun/spec/catalogue.json`."""
    file = resources.files("nnrun.spec").joinpath("catalogue.json").read_text("utf-8")
    described = json.loads(file)["keras"]
    if described != keras.__version__:
        pytest.skip(f"the shipped catalogue describes Keras {described}")

    assert file == text


@pytest.mark.parametrize("kind", ["losses", "metrics", "optimizers", "initializers"])
def test_every_alias_is_known_to_keras(text, kind):
    words = json.loads(text)["aliases"][kind]
    get = getattr(keras, kind).get

    assert all(get(word) is not None for word, meaning in words.items() if meaning)


def test_keras_accepts_the_inherited_arguments(text):
    inherited = json.loads(text)["layers"]["LSTM"]["inherited"]
    layer = keras.layers.LSTM(1, **{name: each["default"] for name, each in inherited.items()})

    assert isinstance(layer, keras.layers.Layer)


def arguments() -> list[Any]:
    """Every argument with a plain value, of every class."""
    return [
        pytest.param(kind, name, argument, id=f"{name}.{argument.name}")
        for kind in keras_names.NOUNS
        for name in shipped.names(kind)
        if (entry := shipped.entry(kind, name)) and entry.name == name
        for argument in entry.accepted.values()
        if argument.kind is None
    ]


def test_every_default_is_valid():
    """Otherwise a docstring was misread."""
    refused = [
        f"{name}.{argument.name}: {argument.default} is not {expected}"
        for kind, name, argument in (each.values for each in arguments())
        if not argument.required and argument.default is not None
        for expected in [
            keras_names.expected_value(kind, shipped.entry(kind, name), argument, argument.default)
        ]
        if expected
    ]

    assert refused == []


@pytest.mark.parametrize(
    ("kind", "name", "argument"),
    [
        each
        for each in arguments()
        if each.values[2].choices
        and each.values[1] not in component.COMPOSITES | component.APPLICATIONS
    ],
)
def test_keras_accepts_every_choice(kind, name, argument):
    cls = getattr(keras.optimizers if kind == "schedules" else getattr(keras, kind), name)
    needed = [each for each in shipped.arguments(kind, name).values() if each.required]
    if name == "OrbaxCheckpoint" or any(each.name not in NEEDED for each in needed):
        pytest.skip(f"nothing to build a {name} from")

    for choice in argument.choices:
        others = {each.name: NEEDED[each.name] for each in needed} | ALSO.get(name, {})
        assert cls(**others | {argument.name: choice})
