"""Every key of a spec is listed, with its description in the models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, PositiveInt

from nnrun.errors import CommandError
from nnrun.spec import catalogue, keys
from nnrun.spec.component import Component, Spec
from nnrun.spec.dataset import DatasetBase, OwnData
from nnrun.spec.experiment import Experiment
from nnrun.spec.keras_names import NOUNS
from nnrun.spec.keys import Key, kind
from nnrun.spec.language import EARLIER
from nnrun.spec.prepare import STEPS, OwnStep, Step


def descendants(cls: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in cls.__subclasses__():
        yield child
        yield from descendants(child)


def test_every_model_has_a_section() -> None:
    """A new mapping is listed without being named anywhere else."""
    leaves = {
        cls.__name__: cls
        for cls in descendants(Spec)
        if cls.__module__.startswith("nnrun.spec.") and not cls.__subclasses__()
    }
    del leaves[Component.__name__], leaves[OwnData.__name__], leaves[OwnStep.__name__]
    fields = {
        frozenset(cls.model_fields) - {"step", "prepare"}
        - ({"name"} if issubclass(cls, DatasetBase) else set())
        for cls in leaves.values()
    }  # fmt: skip
    listed = {
        frozenset(key.name for key in section.keys) - {*EARLIER, "prepare"}
        for section in keys.everything()
    }

    assert fields == listed


def test_every_key_has_a_meaning_and_a_value() -> None:
    for section in keys.everything():
        assert section.meaning
        for key in section.keys:
            assert key.meaning, (section.title, key.name)
            assert key.value, (section.title, key.name)
            assert "\n" not in key.meaning


def test_parts_have_the_order_of_a_spec() -> None:
    titles = [section.title for section in keys.parts()]

    assert titles[:2] == ["top level", "training"]
    assert titles.index("validation") < titles.index("validation.kfold.smooth")
    assert [key.name for key in keys.parts()[0].keys] == [*EARLIER, *Experiment.model_fields]


def test_data_sets_and_steps_have_their_names_in_a_spec() -> None:
    assert [section.title for section in keys.steps()] == list(STEPS)
    assert {section.title for section in keys.datasets()} >= {"iris", "mnist_5k", "imdb"}


def test_a_key_has_its_values_and_default() -> None:
    [training] = [section for section in keys.parts() if section.title == "training"]
    by_name = {key.name: key for key in training.keys}

    assert by_name["epochs"] == Key(
        "epochs",
        "Passes over the training rows; by default the sum of all `stages`.",
        "whole number above 0",
        required=True,
    )
    assert by_name["engine"].value == "`auto`, `xla`, `graph` or `fit`"
    assert (by_name["metrics"].default, by_name["batch_size"].default) == ([], 32)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (PositiveInt | None, "whole number above 0"),
        (Annotated[float, Field(ge=0, lt=1)], "number from 0 and below 1"),
        (Annotated[int, Field(ge=0, lt=2**32)], "whole number from 0"),
        (PositiveInt | float, "whole number above 0, or number"),
        (Literal["a", "b"], "`a` or `b`"),
        (tuple[str, ...], "list"),
        (dict[str, int], "mapping"),
        (Component, "name, with arguments"),
        (Step, "mapping"),
        (bool, "true or false"),
        (str, "text"),
    ],
)
def test_a_type_in_words(annotation: object, words: str) -> None:
    assert kind(annotation) == words


@pytest.mark.parametrize("kind", NOUNS)
def test_every_name_of_keras_is_listed(kind: str) -> None:
    listed, names = keys.of_kind(kind), catalogue.names(kind)

    assert {key.name for key in listed.keys} == {catalogue.canonical_name(kind, n) for n in names}
    assert all(key.value is None for key in listed.keys)
    assert keys.look_up(listed.keys[0].name)


def test_arguments_have_types_choices_and_defaults() -> None:
    [section] = keys.look_up("Conv2D")
    by_name = {key.name: key for key in section.keys}

    assert (section.title, section.kind) == ("Conv2D", "layer")
    assert by_name["padding"].value == "`valid` or `same`"
    assert by_name["padding"].default == "valid"
    assert by_name["filters"].value == "whole number"
    assert by_name["filters"].required
    assert by_name["activation"].value == "activation"
    assert all(by_name[name].meaning for name in ("filters", "padding", "activation"))


def test_a_word_with_two_meanings_gives_both() -> None:
    assert [(section.title, section.kind) for section in keys.look_up("mse")] == [
        ("MeanSquaredError", "loss"),
        ("MeanSquaredError", "metric"),
    ]


@pytest.mark.parametrize(
    ("word", "titles"),
    [
        ("validation.holdout", ["validation.holdout"]),
        ("kfold", ["validation.kfold", "validation.kfold.smooth"]),
        ("pad", ["pad"]),
        ("iris", ["iris"]),
        ("class_weight", ["training"]),
        ("epochs", ["training", "training.stages"]),
        ("training.epochs", ["training"]),
        ("num_words", ["imdb", "reuters"]),
        ("losses", ["losses"]),
        ("accuracy", ["accuracy"]),
    ],
)
def test_a_word_gives_its_sections(word: str, titles: list[str]) -> None:
    assert [section.title for section in keys.look_up(word)] == titles


def test_a_single_key_comes_alone() -> None:
    [section] = keys.look_up("class_weight")

    assert [key.name for key in section.keys] == ["class_weight"]


@pytest.mark.parametrize(
    ("word", "nearest"),
    [("dens", "Dense"), ("traning", "training"), ("epoch", "epochs"), ("layer", "layers")],
)
def test_an_unknown_word_gets_the_nearest(word: str, nearest: str) -> None:
    with pytest.raises(CommandError) as refusal:
        keys.look_up(word)

    assert str(refusal.value) == f"there is no key or name '{word}'; did you mean '{nearest}'?"


def test_a_word_near_to_none_gets_groups_and_sections() -> None:
    with pytest.raises(CommandError, match=r"; there are 'spec', 'steps', .* 'training', "):
        keys.look_up("qqq")
