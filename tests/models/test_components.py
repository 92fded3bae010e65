"""Names in a spec become Keras objects, at any depth."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

from nnrun.models import components
from nnrun.spec import catalogue
from nnrun.spec.component import Component


def instantiate(kind: str, name: str, **arguments: Any) -> Any:
    return components.instantiate(kind, Component(name=name, arguments=arguments))


@pytest.mark.parametrize("word", ["accuracy", "binary_crossentropy", "mse", "rmsprop"])
def test_a_word_stays_a_word(word: str) -> None:
    """Keras reports the metric under this word."""
    assert instantiate("metrics", word) == word


@pytest.mark.parametrize("kind", ["initializers", "regularizers", "constraints"])
def test_every_class_without_required_arguments_is_instantiated(kind: str) -> None:
    entries = [catalogue.entry(kind, name) for name in catalogue.names(kind)]
    names = {
        entry.name
        for entry in entries
        if entry and not any(argument.required for argument in entry.arguments.values())
    }

    assert names
    for name in names:
        assert type(instantiate(kind, name)) is getattr(getattr(keras, kind), name)


def test_arguments_become_keras_objects() -> None:
    """A regularizer with a lone value, and cells in a layer in a layer."""
    cells = [{"LSTMCell": {"units": 3}}, {"GRUCell": 4}]
    dense = instantiate("layers", "Dense", units=1, kernel_regularizer={"L2": 0.25})
    layer = instantiate(
        "layers", "Bidirectional", layer={"RNN": {"cell": {"StackedRNNCells": cells}}}
    )

    assert dense.kernel_regularizer.get_config() == {"l2": 0.25}
    assert [type(cell).__name__ for cell in layer.forward_layer.cell.cells] == [
        "LSTMCell",
        "GRUCell",
    ]


def test_a_learning_rate_may_be_a_schedule() -> None:
    schedule = {"CosineDecay": {"initial_learning_rate": 0.5, "decay_steps": 4}}
    optimizer = instantiate("optimizers", "SGD", learning_rate=schedule)
    optimizer.build([keras.Variable(1.0)])
    rates = []
    for _ in range(3):
        rates.append(float(optimizer.learning_rate))
        optimizer.iterations.assign_add(1)

    assert rates == pytest.approx([0.5, 0.4267767, 0.25])


def error_of(layer: str, shape: tuple[int, ...], **arguments: Any) -> Exception:
    with pytest.raises((ValueError, TypeError)) as caught:
        instantiate("layers", layer, **arguments)(keras.Input(shape))
    return caught.value


def error_of_graph() -> Exception:
    @tf.function  # type: ignore[untyped-decorator]
    def fail() -> None:
        raise ValueError("the shapes differ")

    with pytest.raises(ValueError, match="in user code") as caught:
        fail()
    return caught.value


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            error_of("Add", (3,)),
            "A merge layer should be called on a list of inputs. "
            "Received: input_shape=(None, 3) (not a list of shapes)",
        ),
        (
            error_of("HashedCrossing", (2,), num_bins=3),
            "Expected as input a list/tuple of 2 tensors. Received input_shape=(None, 2)",
        ),
        (error_of_graph(), "the shapes differ"),
        (ValueError(), "ValueError"),
    ],
    ids=["plain", "wrapped by Keras", "in a graph", "without a message"],
)
def test_the_reason_is_one_plain_line(error: Exception, reason: str) -> None:
    """Without tracebacks and colours."""
    assert components.reason(error) == reason
