"""Callbacks that wait for a metric which nobody reports."""

from __future__ import annotations

import re

import pytest

from nnrun.check.training import check_monitors, learning_rate_problems
from nnrun.errors import IncompatibleSpec
from nnrun.spec.component import Component
from nnrun.spec.training import Training


def callback(name: str, **arguments: object) -> Component:
    return Component(name=name, arguments=arguments)


def test_a_metric_that_is_not_reported_is_refused_with_those_that_are() -> None:
    """Keras warns at the end of each epoch and trains on to the last."""
    message = "EarlyStopping watches 'val_acc', but the history will hold only loss, val_loss"

    with pytest.raises(IncompatibleSpec, match=re.escape(message)):
        check_monitors([callback("EarlyStopping", monitor="val_acc")], ["loss", "val_loss"])


def test_a_default_counts_as_if_it_were_written() -> None:
    """`EarlyStopping` watches val_loss, which is not there without validation rows."""
    with pytest.raises(IncompatibleSpec, match="ReduceLROnPlateau watches 'val_loss'"):
        check_monitors([callback("CSVLogger"), callback("ReduceLROnPlateau")], ["loss"])


def test_a_checkpoint_watches_only_when_it_keeps_the_best() -> None:
    """Without `save_best_only` it saves each epoch and never looks at its monitor."""
    check_monitors([callback("ModelCheckpoint", filepath="a.keras")], ["loss"])

    with pytest.raises(IncompatibleSpec, match="ModelCheckpoint watches 'val_loss'"):
        check_monitors([callback("ModelCheckpoint", save_best_only=True)], ["loss"])


def test_callbacks_that_watch_nothing_pass() -> None:
    """Most callbacks have no monitor."""
    check_monitors([callback("TerminateOnNaN"), callback("CSVLogger", filename="a.csv")], ["loss"])


@pytest.mark.parametrize("name", ["ReduceLROnPlateau", "LearningRateScheduler"])
def test_a_learning_rate_that_a_schedule_decides_is_not_set(name: str) -> None:
    """Keras raises only when the callback first acts, which may be hours into a run."""
    schedule = {"ExponentialDecay": {"initial_learning_rate": 0.1}}
    optimizer = callback("SGD", learning_rate=schedule)
    training = Training(optimizer=optimizer, loss=callback("mse"), epochs=1)

    [problem] = learning_rate_problems(training.model_copy(update={"callbacks": (callback(name),)}))

    assert problem.message.startswith(f"{name} cannot set the learning rate: the optimizer has")
    assert not [*learning_rate_problems(training)]
