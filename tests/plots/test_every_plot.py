"""Properties of every plot."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from nnrun import plots
from nnrun.models.structure import Branches, Group, Layer, LayerSize, Structure
from nnrun.plots import style
from nnrun.types import History

RNG = np.random.default_rng(0)
NOISY = {"mae": RNG.normal(2, 0.1, 500).tolist(), "val_mae": RNG.normal(3, 0.5, 500).tolist()}
PRICES = RNG.gamma(6, 4, 102)
FOLDS = {n: History({"val_mae": RNG.normal(3, 0.5, 500).tolist()}) for n in range(1, 5)}
COMPARED = [
    plots.RunCurves(f"run {n}", FOLDS[n], SimpleNamespace(mean=3.0, low=2.5, high=3.5))
    for n in FOLDS
]
MASKS = load_digits().images[:9] // 6
COUNTS = np.diag([7] * 46) + np.diag([2] * 45, k=1)
CONV = Layer("Conv2D", "64, kernel_size 3", LayerSize((8, 8, 64), 9_472))
PARTS = (Group("bottleneck", 3, (Branches("Residual", ((CONV,), ()), CONV),)), CONV)

PLOTS: dict[str, Callable[[], Figure]] = {
    "comparison": lambda: plots.comparison(COMPARED, "mae", rows="validation"),
    "curve": lambda: plots.curve(History(NOISY), "mae", best_epoch=180),
    "confusion": lambda: plots.confusion(COUNTS, [f"topic {i}" for i in range(46)]),
    "label_confusions": lambda: plots.label_confusions(
        np.arange(28).reshape(7, 2, 2), [f"tag {i}" for i in range(7)]
    ),
    "values_against_true": lambda: plots.values_against_true(
        np.stack([PRICES, PRICES / 2], 1), np.stack([PRICES, PRICES], 1), ["price", "rent in $"]
    ),
    "picture_gallery": lambda: plots.picture_gallery(
        load_digits().images[:9], MASKS, 2 - MASKS, classes=3
    ),
    "image_gallery": lambda: plots.image_gallery(load_digits().images[:25], ["3"] * 25, ["8"] * 25),
    "text_gallery": lambda: plots.text_gallery(["costs $5"] * 8, ["good"] * 8, ["bad"] * 8),
    "predicted_against_true": lambda: plots.predicted_against_true(
        PRICES, PRICES * 1.1, name="price in 1000 $"
    ),
    "model": lambda: plots.model(Structure((8, 8, 3), PARTS)),
    "folds": lambda: plots.folds(FOLDS, FOLDS[1], "val_mae", best_epoch=80),
    "smoothed": lambda: plots.smoothed(NOISY["val_mae"][10:], "val_mae", skip=10, best_epoch=80),
}


def png(figure: Figure, path: Path) -> bytes:
    figure.canvas.print_png(path, metadata={"Software": None})
    return path.read_bytes()


def test_every_plot_is_tested():
    assert sorted(PLOTS) == sorted(name for name in plots.__all__ if name.islower())


@pytest.mark.parametrize("name", PLOTS)
@pytest.mark.filterwarnings("error")
def test_a_plot_is_reproducible_and_white(name, tmp_path):
    """Saving does not change a figure, and gives the bytes of the slower `savefig`."""
    figure, again = PLOTS[name](), PLOTS[name]()
    again.savefig(tmp_path / "savefig.png", metadata={"Software": None})
    first, second = png(figure, tmp_path / "1.png"), png(figure, tmp_path / "2.png")

    assert first.startswith(b"\x89PNG")
    assert first == second == (tmp_path / "savefig.png").read_bytes()
    assert figure.get_facecolor() == (1, 1, 1, 1)


def test_an_svg_is_reproducible(tmp_path):
    """It contains no date and no random ids."""
    for name in ("1.svg", "2.svg"):
        PLOTS["model"]().savefig(tmp_path / name, metadata={"Creator": None, "Date": None})

    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()


def test_pyplot_is_never_imported():
    """It would keep every figure in memory, and look for a display."""
    program = "import sys; from nnrun import plots; print('matplotlib.pyplot' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

    assert answer.stdout == b"False\n"


NAMES = {
    "mathematics": "$\\frac{$ x_{",
    "control characters": "a\x1b]0;owned\x07\x9b31m \0 \u202e \udc80",
    "lines": "a\n" * 1000,
    "empty": "",
    "hidden from legends": "_a",
    "a long word": "x" * 20_000,
}


def plots_with_name(name: str) -> dict[str, Callable[[], Figure]]:
    """Every plot with a name of a metric, class, run or layer."""
    history = History({name: [2.0, 1.0], f"val_{name}": [3.0, 2.0]})
    compared = [plots.RunCurves(name, history, None), plots.RunCurves("b", history, None)]
    return {
        "comparison": lambda: plots.comparison(compared, name, rows=name),
        "curve": lambda: plots.curve(history, name, best_epoch=1),
        "confusion": lambda: plots.confusion(np.eye(2, dtype=int), [name, f"{name}2"]),
        "label_confusions": lambda: plots.label_confusions(np.ones((1, 2, 2), int), [name]),
        "values_against_true": lambda: plots.values_against_true(
            np.ones((3, 1)), np.ones((3, 1)), [name]
        ),
        "picture_gallery": lambda: plots.picture_gallery(*[np.zeros((1, 8, 6, 3))] * 3),
        "image_gallery": lambda: plots.image_gallery(np.zeros((1, 8, 8)), [name], [name]),
        "text_gallery": lambda: plots.text_gallery([name], [name], ["b"]),
        "predicted_against_true": lambda: plots.predicted_against_true(PRICES, PRICES, name=name),
        "model": lambda: plots.model(Structure((1,), (Layer("Dense", name, LayerSize((1,))),))),
        "folds": lambda: plots.folds({1: history}, history, name, best_epoch=1),
        "smoothed": lambda: plots.smoothed([2.0, 1.0], name, skip=1, best_epoch=2),
    }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", NAMES)
def test_every_plot_accepts_any_name(kind, tmp_path):
    """A warning would print the name with its control characters."""
    drawn = plots_with_name(NAMES[kind])

    assert drawn.keys() == PLOTS.keys()
    for draw in drawn.values():
        assert png(draw(), tmp_path / "a.png").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("shortened", "expected"),
    [
        (style.shorten("sneaker", 7), "sneaker"),
        (style.shorten("sneakers", 7), "snea…rs"),
        (style.excerpt("x" * 400, 10), "x" * 10 + "…"),
        (style.excerpt("a film of beauty", 9), "a film of…"),
    ],
)
def test_names_and_texts_are_shortened_only_if_necessary(shortened, expected):
    assert shortened == expected
