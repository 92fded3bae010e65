"""What does not fit into memory is said with the sizes that matter, and blamed on nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.errors import TrainingError
from nnrun.experiment import fold
from nnrun.experiment.fold import load_and_prepare
from nnrun.spec.experiment import Experiment
from nnrun.types import Observer

# Of a batch the first makes 6.5 TB, and the second has weights of 26 TB.
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


@pytest.mark.parametrize(
    ("layers", "engine"),
    [
        # The allocator looks for ten seconds before it gives up.
        pytest.param(LARGE_OUTPUT, "graph", id="output", marks=pytest.mark.slow),
        pytest.param(LARGE_OUTPUT, "xla", id="output-xla", marks=pytest.mark.slow),
        pytest.param(LARGE_OUTPUT, "fit", id="output-fit", marks=pytest.mark.slow),
        pytest.param(LARGE_LAYER, "graph", id="weights", marks=pytest.mark.slow),
    ],
)
def test_the_memory_is_said_to_be_full(layers: list[Any], engine: str) -> None:
    """By the allocator of TensorFlow, that is, and not by the loss, which only came first."""
    with pytest.raises(TrainingError) as refused:
        fold.build(load_and_prepare(spec(layers, engine)), Observer())

    assert str(refused.value).startswith(
        "out of memory: 1,797 rows, prepared 460.0 kB in all, and "
    )
    assert "batch_size 1,024, 262.1 kB a step" in str(refused.value)
    assert "a smaller batch_size, smaller layers or fewer columns" in str(refused.value)
