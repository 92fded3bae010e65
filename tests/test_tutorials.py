"""The classic tutorials, run whole on the real data with the default seed: what they must reach."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Trained = Callable[..., tuple[dict[str, Any], dict[str, list[float]]]]


@pytest.fixture
def trained(nnrun: Callable[..., Any], configs: Path, tmp_path: Path) -> Trained:
    """Trains a shipped spec; returns its metrics and its history."""

    def run(name: str, *more: str) -> tuple[dict[str, Any], dict[str, list[float]]]:
        answer = nnrun("train", configs / f"{name}.yaml", "--runs", tmp_path, "--json", *more)
        assert answer.returncode == 0, answer.stderr
        [run] = json.loads(answer.stdout)["runs"]
        history = json.loads((Path(run["path"]) / "history.json").read_text())
        return run["metrics"], history

    return run


@pytest.mark.slow
@pytest.mark.parametrize(("name", "accuracy"), [("digits", 0.95), ("iris", 0.9)])
def test_embedded_classifiers_reach_their_accuracy(
    name: str, accuracy: float, trained: Trained
) -> None:
    """These run anywhere, so they are the demo."""
    metrics, _ = trained(name)

    assert metrics["test"]["accuracy"] >= accuracy


def test_boston_is_within_3200_dollars(trained: Trained) -> None:
    """The target is in thousands; 100 epochs of one row per step."""
    metrics, _ = trained("boston")

    assert metrics["test"]["mae"] <= 3.2


@pytest.mark.slow
@pytest.mark.usefixtures("full_data")
def test_imdb_over_fits_after_a_few_epochs(trained: Trained) -> None:
    """That is the lesson of it: the best epoch comes early, and the loss rises from there."""
    metrics, history = trained("imdb")

    assert max(history["val_binary_accuracy"]) >= 0.885
    assert 2 <= metrics["best_epoch"] <= 5
    assert history["val_loss"][-1] > 1.5 * min(history["val_loss"])
    assert metrics["test"]["binary_accuracy"] >= 0.84


@pytest.mark.slow
@pytest.mark.usefixtures("full_data")
@pytest.mark.parametrize(
    ("name", "metric", "figure"),
    [
        ("imdb-dropout", "binary_accuracy", 0.87),
        ("reuters", "accuracy", 0.77),
        ("mnist-raw", "accuracy", 0.93),
        ("mnist", "accuracy", 0.97),
        ("mnist-logits", "accuracy", 0.975),
    ],
)
def test_tutorials_reach_their_figures(
    name: str, metric: str, figure: float, trained: Trained
) -> None:
    """The figures that the tutorials are known for."""
    metrics, _ = trained(name)

    assert metrics["test"][metric] >= figure


@pytest.mark.slow
@pytest.mark.usefixtures("full_data")
def test_a_guess_among_ten_digits_costs_ln_10(trained: Trained) -> None:
    """Before training every digit is about as likely as any other."""
    metrics, _ = trained("mnist-logits", "--set", "training.epochs=1")

    assert metrics["initial"]["loss"] == pytest.approx(math.log(10), rel=0.1)
