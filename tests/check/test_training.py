"""Monitored metrics, and class weights."""

from __future__ import annotations

import re

import pytest

from nnrun.check.training import (
    check_monitors,
    class_weight_problems,
    positive_problems,
    with_modes,
)
from nnrun.errors import IncompatibleSpec
from nnrun.spec.component import Component
from nnrun.spec.training import Training


def callback(name: str, **arguments: object) -> Component:
    return Component(name=name, arguments=arguments)


def training(**options: object) -> Training:
    needed = {"optimizer": "adam", "loss": "mse", "metrics": [], "epochs": 1}
    return Training.model_validate({**needed, **options})


@pytest.mark.parametrize(
    ("monitoring", "names", "message"),
    [
        (
            callback("EarlyStopping", monitor="val_acc"),
            ["loss", "val_loss"],
            "EarlyStopping watches 'val_acc', but the history will hold only loss, val_loss",
        ),
        (callback("ReduceLROnPlateau"), ["loss"], "ReduceLROnPlateau watches 'val_loss'"),
        (
            callback("ModelCheckpoint", save_best_only=True),
            ["loss"],
            "ModelCheckpoint watches 'val_loss'",
        ),
    ],
)
def test_a_monitor_that_is_not_logged_is_refused(
    monitoring: Component, names: list[str], message: str
) -> None:
    """Keras only warns after each epoch. Default monitors count too."""
    with pytest.raises(IncompatibleSpec, match=re.escape(message)):
        check_monitors(training(callbacks=[monitoring]), names)


def test_an_epoch_cannot_be_the_best_by_what_is_not_logged() -> None:
    message = "restore: best watches 'val_loss', but the history will hold only loss"
    with pytest.raises(IncompatibleSpec, match=message) as caught:
        check_monitors(training(restore="best"), ["loss"])

    assert caught.value.path == ("training", "restore")


def test_callbacks_without_a_monitor_are_accepted() -> None:
    """`ModelCheckpoint` uses its monitor only with `save_best_only`."""
    checkpoint = callback("ModelCheckpoint", filepath="a.keras")

    callbacks = [callback("TerminateOnNaN"), callback("CSVLogger"), checkpoint]

    check_monitors(training(callbacks=callbacks), ["loss"])


NAMES = ("ham", "spam")
UNREAD = range(2)
NUMBERS = ("5", "7")


@pytest.mark.parametrize(
    ("weight", "classes"),
    [
        (None, ()),
        ("balanced", NAMES),
        ({}, NAMES),
        ({"spam": 2.0}, NAMES),
        ({"0": 1.0, "1": 2.0}, NAMES),
        ({"5": 1.0, "7": 2.0}, NUMBERS),
        ({"eggs": 2.0}, UNREAD),  # names are unknown until the rows are read
    ],
)
def test_classes_are_given_by_name_or_number(weight: object, classes: range) -> None:
    assert [*class_weight_problems(weight, classes)] == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("weight", "classes", "message"),
    [
        ({"2": 1.0}, UNREAD, "there is no class 2; they are numbered from 0 to 1"),
        ({"span": 1.0}, NAMES, "there is no class 'span'; did you mean 'spam'?"),
        ({"eggs": 1.0}, NAMES, "there is no class 'eggs'; there are 'ham' and 'spam'"),
        ({"1": 2.0}, NUMBERS, "there is no class '1'; there are '5' and '7'"),
        ("balanced", (), "needs one class per row; leave it out"),
    ],
)
def test_a_weight_of_an_unknown_class_is_refused(
    weight: object, classes: range, message: str
) -> None:
    [problem] = class_weight_problems(weight, classes)  # type: ignore[arg-type]

    assert problem.args == ("NN122", ("training", "class_weight"), message)


@pytest.mark.parametrize(
    ("monitor", "metric", "mode"),
    [
        ("val_true_positives", "TruePositives", "max"),
        ("false_negatives", "FalseNegatives", "min"),
        ("val_mine", {"Precision": {"name": "mine"}}, "max"),
        ("val_mean_absolute_error", "MeanAbsoluteError", "min"),
        ("val_loss", "accuracy", "min"),
        ("learning_rate", "accuracy", None),
    ],
)
def test_a_callback_gets_the_mode_of_its_metric(monitor, metric, mode):
    """Keras knows no direction of counts, and stops after the first epoch."""
    callbacks = [{"EarlyStopping": {"monitor": monitor}}, "TerminateOnNaN"]
    first, second = with_modes(training(metrics=[metric], callbacks=callbacks))

    assert first.arguments.get("mode") == mode
    assert second == callback("TerminateOnNaN")


@pytest.mark.parametrize(
    ("positive", "classes", "message"),
    [
        ("spam", NAMES, ""),
        ("1", NAMES, ""),
        ("5", NUMBERS, ""),
        ("eggs", UNREAD, ""),
        ("1", NUMBERS, "there is no class '1'; there are '5' and '7'"),
        ("span", NAMES, "there is no class 'span'; did you mean 'spam'?"),
        ("a", ("a", "b", "c"), "chooses one of two classes, but there are 3"),
        ("a", (), "chooses one of two classes, but a row does not have one class"),
    ],
)
def test_the_positive_class_is_one_of_two(
    positive: str, classes: tuple[str, ...], message: str
) -> None:
    messages = [problem.message for problem in positive_problems(positive, classes)]

    assert messages == [message] * bool(message)
