"""The shipped catalogue is what the installed Keras offers."""

import json
from importlib import resources

import keras
import pytest

from nnrun.models import catalogue as written
from nnrun.spec import catalogue as shipped


@pytest.fixture(scope="module")
def text():
    return written.text()


def test_the_shipped_catalogue_is_up_to_date(text):
    """Renew it with `python -m nnrun.models.catalogue > nnrun/spec/catalogue.json`."""
    if shipped.keras_version() != keras.__version__:
        pytest.skip(f"the shipped catalogue describes Keras {shipped.keras_version()}")

    assert resources.files("nnrun.spec").joinpath("catalogue.json").read_text("utf-8") == text


def test_the_catalogue_is_small(text):
    """It is read whenever a spec is checked."""
    assert len(text) < 400_000


@pytest.mark.parametrize("kind", ["losses", "metrics", "optimizers", "initializers"])
def test_every_other_word_is_one_that_keras_takes(text, kind):
    words = json.loads(text)["aliases"][kind]
    get = getattr(keras, kind).get

    assert all(get(word) is not None for word, meaning in words.items() if meaning)


def test_inherited_arguments_are_those_that_keras_accepts():
    inherited = written.catalogue()["layers"]["LSTM"]["inherited"]
    layer = keras.layers.LSTM(1, **{name: each["default"] for name, each in inherited.items()})

    assert isinstance(layer, keras.layers.Layer)
