"""Schedules in epochs are those of Keras in steps."""

from __future__ import annotations

from typing import Any

import pytest

from nnrun.check.faults import read
from nnrun.check.training import schedule_notes, with_steps
from nnrun.errors import SpecError
from nnrun.spec.training import Training

ROWS = 100


def training(schedule: dict[str, Any], **options: Any) -> Training:
    optimizer = {"Adam": {"learning_rate": schedule}}
    given = {"optimizer": optimizer, "loss": "mse", "epochs": 9, "batch_size": 32}
    return Training.model_validate({**given, **options})


@pytest.mark.parametrize(
    ("epochs", "steps"),
    [
        # Four batches an epoch, the last of four rows.
        (
            {"CosineDecay": {"initial_learning_rate": 0, "warmup_epochs": 0.5, "decay_epochs": 8}},
            {"CosineDecay": {"initial_learning_rate": 0, "warmup_steps": 2, "decay_steps": 32}},
        ),
        (
            {"CosineDecayRestarts": {"first_decay_epochs": 3}},
            {"CosineDecayRestarts": {"first_decay_steps": 12}},
        ),
        (
            {"PiecewiseConstantDecay": {"boundary_epochs": [1, 2.5], "values": [3, 2, 1]}},
            {"PiecewiseConstantDecay": {"boundaries": [4, 10], "values": [3, 2, 1]}},
        ),
        ({"ExponentialDecay": {"decay_steps": 7}}, {"ExponentialDecay": {"decay_steps": 7}}),
    ],
)
def test_epochs_are_counted_in_steps(epochs: dict[str, Any], steps: dict[str, Any]) -> None:
    assert with_steps(training(epochs), ROWS) == training(steps)


def test_a_stage_counts_with_its_own_batch_size() -> None:
    stages = [{"epochs": 5}, {"epochs": 5, "batch_size": 10}]
    counted = with_steps(training({"ExponentialDecay": {"decay_epochs": 2}}, stages=stages), ROWS)
    rates = [
        stage.optimizer.arguments["learning_rate"] for stage in counted.stages if stage.optimizer
    ]

    assert rates == [
        {"ExponentialDecay": {"decay_steps": 8}},
        {"ExponentialDecay": {"decay_steps": 20}},
    ]


def test_the_scheduler_callback_counts_epochs_anyway() -> None:
    scheduler = {"LearningRateScheduler": {"schedule": {"ExponentialDecay": {"decay_epochs": 3}}}}
    [callback] = with_steps(training({}, optimizer="sgd", callbacks=[scheduler]), ROWS).callbacks

    assert callback.arguments == {"schedule": {"ExponentialDecay": {"decay_steps": 3}}}


def test_check_says_what_the_steps_are() -> None:
    schedule = {"CosineDecay": {"decay_epochs": 8, "warmup_epochs": 1}}

    assert [*schedule_notes(training(schedule), ROWS)] == [
        "CosineDecay: decay_epochs: 8 is decay_steps: 32, with 100 training rows",
        "CosineDecay: warmup_epochs: 1 is warmup_steps: 4, with 100 training rows",
    ]


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            "{decay_epochs: 2, decay_steps: 3, decay_rate: 1}",
            "is decay_steps in epochs; leave one of them",
        ),
        ("{decay_rate: 1}", "ExponentialDecay needs the argument 'decay_steps'"),
        ("{decay_rate: 1, decay_epochs: two}", "must be a number, got 'two'"),
    ],
)
def test_faults_are_those_of_keras_arguments(schedule: str, message: str, tmp_path: Any) -> None:
    path = tmp_path / "a.yaml"
    schedule = schedule.replace("{", "{initial_learning_rate: 1, ")
    path.write_text(
        "dataset: {name: digits, prepare: [flatten]}\nmodel: [Dense: {units: 10, activation: softmax}]\n"
        "training: {loss: sparse_categorical_crossentropy, epochs: 1, optimizer: {SGD: "
        f"{{learning_rate: {{ExponentialDecay: {schedule}}}}}}}}}\n"
    )
    with pytest.raises(SpecError) as caught:
        read(path)

    [fault] = caught.value.faults
    assert fault.message == message
