"""An out-of-memory error names the sizes that matter."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.errors import TrainingError
from nnrun.experiment import fold
from nnrun.experiment.fold import load_and_prepare
from nnrun.spec.experiment import Experiment
from nnrun.types import Observer

# The output of the first takes 6.5 TB per batch, and the weights of the second 26 TB.
LARGE_OUTPUT = [
    {"Reshape": {"target_shape": [8, 8, 1]}},
    {"UpSampling2D": {"size": 5000}},
    "GlobalAveragePooling2D",
]
LARGE_LAYER = ["Flatten", {"Dense": {"units": 10**11}}, {"Dense": {"units": 10}}]


def spec(layers: list[Any], engine: str) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "large",
            "dataset": {"name": "digits", "prepare": [{"rescale": {"divisor": 16.0}}]},
            "model": [*layers, {"Dense": {"units": 10, "activation": "softmax"}}],
            "training": {
                "loss": "sparse_categorical_crossentropy",
                "optimizer": "SGD",
                "epochs": 1,
                "batch_size": 1024,
                "engine": engine,
            },
        }
    )


# The allocator searches for ten seconds before it gives up.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("layers", "engine"),
    [(LARGE_OUTPUT, "graph"), (LARGE_OUTPUT, "xla"), (LARGE_OUTPUT, "fit"), (LARGE_LAYER, "graph")],
    ids=["output", "output-xla", "output-fit", "weights"],
)
def test_an_out_of_memory_error_names_the_sizes(layers: list[Any], engine: str) -> None:
    """TensorFlow reports it in the loss, which only comes first."""
    with pytest.raises(TrainingError) as error:
        fold.build(load_and_prepare(spec(layers, engine)), Observer())

    message = str(error.value)
    assert message.startswith("out of memory: 1,797 rows, prepared 460.0 kB in all, and ")
    assert "batch_size 1,024, 262.1 kB a step" in message
    assert "a smaller batch_size, smaller layers or fewer columns" in message
