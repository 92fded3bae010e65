"""Names in a spec become Keras objects, however deep they stand."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

from nnrun.models import components
from nnrun.spec import catalogue
from nnrun.spec.component import Component

# What Keras knows as a word, and reports a metric under.
WORDS = {"mse", "accuracy", "rmsprop", "binary_crossentropy"}


def built(kind: str, name: str, **arguments: Any) -> Any:
    return components.instantiate(kind, Component(name=name, arguments=arguments))


def test_a_class_becomes_an_instance() -> None:
    optimizer = built("optimizers", "RMSprop", learning_rate=0.5)

    assert type(optimizer) is keras.optimizers.RMSprop
    assert float(optimizer.learning_rate) == 0.5


@pytest.mark.parametrize("word", sorted(WORDS))
def test_a_word_stays_a_word(word: str) -> None:
    """Keras then reports the metric under that very word."""
    assert built("metrics", word) == word


@pytest.mark.parametrize("kind", ["initializers", "regularizers", "constraints"])
def test_every_class_without_needs_is_built(kind: str) -> None:
    """All that a layer's arguments may name."""
    entries = [catalogue.entry(kind, name) for name in catalogue.names(kind)]
    free = [
        entry.name
        for entry in entries
        if entry and not any(argument.required for argument in entry.arguments.values())
    ]

    assert {type(built(kind, name)).__name__ for name in free} == {
        getattr(getattr(keras, kind), name).__name__ for name in free
    }


def test_an_argument_that_is_a_keras_object_is_built() -> None:
    """`kernel_regularizer: {L2: 0.01}`, its lone value under its own name."""
    layer = built("layers", "Dense", units=1, kernel_regularizer={"L2": 0.25})

    assert layer.kernel_regularizer.get_config() == {"l2": 0.25}


def test_objects_stand_inside_objects() -> None:
    """A wrapper in a wrapper, and lists of cells."""
    cells = [{"LSTMCell": {"units": 3}}, {"GRUCell": 4}]
    layer = built("layers", "Bidirectional", layer={"RNN": {"cell": {"StackedRNNCells": cells}}})

    assert [type(cell).__name__ for cell in layer.forward_layer.cell.cells] == [
        "LSTMCell",
        "GRUCell",
    ]


def test_a_learning_rate_may_be_a_schedule() -> None:
    schedule = {"CosineDecay": {"initial_learning_rate": 0.5, "decay_steps": 4}}
    optimizer = built("optimizers", "SGD", learning_rate=schedule)
    optimizer.build([keras.Variable(1.0)])
    rates = []
    for _ in range(3):
        rates.append(float(optimizer.learning_rate))
        optimizer.iterations.assign_add(1)

    assert rates == pytest.approx([0.5, 0.4267767, 0.25])


def failure(layer: str, shape: tuple[int, ...], **arguments: Any) -> Exception:
    with pytest.raises((ValueError, TypeError)) as caught:
        built("layers", layer, **arguments)(keras.Input(shape))
    return caught.value


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            failure("Add", (3,)),
            (
                "A merge layer should be called on a list of inputs. "
                "Received: input_shape=(None, 3) (not a list of shapes)"
            ),
        ),
        (
            failure("HashedCrossing", (2,), num_bins=3),
            "Expected as input a list/tuple of 2 tensors. Received input_shape=(None, 2)",
        ),
        (ValueError(), "ValueError"),
    ],
    ids=["plain", "wrapped by Keras", "without words"],
)
def test_the_reason_is_one_plain_line(error: Exception, said: str) -> None:
    """Without the layers of Keras's own story around it, and without colours."""
    assert components.reason(error) == said


def test_the_reason_of_a_graph_is_its_last_line() -> None:
    """TensorFlow tells the whole way down to it first."""

    @tf.function  # type: ignore[untyped-decorator]
    def refuses() -> None:
        raise ValueError("the shapes differ")

    with pytest.raises(ValueError, match="in user code") as caught:
        refuses()

    assert components.reason(caught.value) == "the shapes differ"
