"""What holds for every plot, whichever it is."""

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
from nnrun.types import History

RNG = np.random.default_rng(0)
NOISY = {
    "mae": RNG.normal(2, 0.1, 500).tolist(),
    "val_mae": RNG.normal(3, 0.5, 500).tolist(),
}
PRICES = RNG.gamma(6, 4, 102)
FOLDS = {n: History({"val_mae": RNG.normal(3, 0.5, 500).tolist()}) for n in range(1, 5)}

COMPARED = [
    plots.RunCurves(f"run {n}", FOLDS[n], SimpleNamespace(mean=3.0, low=2.5, high=3.5))
    for n in FOLDS
]

CONV = Layer("Conv2D", "64, kernel_size 3", LayerSize((8, 8, 64), 9_472))
PARTS = (Group("bottleneck", 3, (Branches("Residual", ((CONV,), ()), CONV),)), CONV)

DRAWN: dict[str, Callable[[], Figure]] = {
    "comparison": lambda: plots.comparison(COMPARED, "mae", rows="validation"),
    "curve": lambda: plots.curve(History(NOISY), "mae", best_epoch=180),
    "confusion": lambda: plots.confusion(
        np.diag([7] * 46) + np.diag([2] * 45, k=1), [f"topic {i}" for i in range(46)]
    ),
    "image_gallery": lambda: plots.image_gallery(load_digits().images[:25], ["3"] * 25, ["8"] * 25),
    "text_gallery": lambda: plots.text_gallery(
        ["costs $5"] * 8, ["positive"] * 8, ["negative"] * 8
    ),
    "predicted_against_true": lambda: plots.predicted_against_true(
        PRICES, PRICES * 1.1, name="price in 1000 $"
    ),
    "model": lambda: plots.model(Structure((8, 8, 3), PARTS)),
    "folds": lambda: plots.folds(FOLDS, FOLDS[1], "val_mae", best_epoch=80),
    "smoothed": lambda: plots.smoothed(NOISY["val_mae"][10:], "val_mae", skip=10, best_epoch=80),
}


def saved(figure: Figure, path: Path) -> bytes:
    figure.canvas.print_png(path, metadata={"Software": None})
    return path.read_bytes()


def test_every_plot_is_drawn_here():
    """A new plot joins this contract, or this fails."""
    assert sorted(DRAWN) == sorted(name for name in plots.__all__ if name.islower())


@pytest.mark.parametrize("name", DRAWN)
def test_equal_input_gives_equal_bytes(name, tmp_path):
    """A run repeated is a folder repeated."""
    first, second = DRAWN[name](), DRAWN[name]()

    assert saved(first, tmp_path / "1.png") == saved(second, tmp_path / "2.png")


def test_equal_drawings_give_equal_bytes_in_lines_too(tmp_path):
    """No date and no lot is in them."""
    for name in ("1.svg", "2.svg"):
        DRAWN["model"]().savefig(tmp_path / name, metadata={"Creator": None, "Date": None})

    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()


@pytest.mark.parametrize("name", DRAWN)
def test_it_is_what_matplotlib_would_save(name, tmp_path):
    """Whose own way draws everything twice."""
    DRAWN[name]().savefig(tmp_path / "1.png", metadata={"Software": None})

    assert saved(DRAWN[name](), tmp_path / "2.png") == (tmp_path / "1.png").read_bytes()


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_saved_again_is_the_same(name, tmp_path):
    """Drawing a figure does not change it."""
    figure = DRAWN[name]()

    assert saved(figure, tmp_path / "1.png") == saved(figure, tmp_path / "2.png")


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.filterwarnings("error")
def test_drawing_warns_of_nothing(name, tmp_path):
    """No letter is missing, and everything finds its room."""
    assert saved(DRAWN[name](), tmp_path / "plot.png").startswith(b"\x89PNG")


@pytest.mark.parametrize("name", DRAWN)
def test_figures_are_white(name):
    """Whatever a person's matplotlib settings say, a plot goes into a paper."""
    assert DRAWN[name]().get_facecolor() == (1, 1, 1, 1)


def test_pyplot_is_never_loaded(tmp_path):
    """It would hold on to every figure, and look for a display."""
    program = """
import sys
from nnrun import plots
from nnrun.types import History
plots.curve(History({"loss": [1.0]}), "loss", best_epoch=1).savefig(sys.argv[1])
plots.confusion([[1, 2], [3, 4]], ["a", "b"]).savefig(sys.argv[1])
print("matplotlib.pyplot" in sys.modules)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "plot.png")]
    process = subprocess.run(command, check=True, capture_output=True, text=True)

    assert process.stdout == "False\n"


NAMES = {
    "mathematics": "$\\frac{$",
    "a brace": "x_{",
    "dollars": "$5 to $6",
    "an escape": "a\x1b]0;owned\x07\x9b31m",
    "a NUL": "a\0b",
    "turned around": "a\u202eb",
    "lines": "a\n" * 1000,
    "half a character": "a\udc80b",
    "nothing": "",
    "hidden from legends": "_a",
    "a long word": "x" * 20_000,
}


def called(name: str) -> dict[str, Callable[[], Figure]]:
    """Every plot with a name wherever a person's or a stranger's may stand."""
    history = History({name: [2.0, 1.0], f"val_{name}": [3.0, 2.0]})
    compared = [plots.RunCurves(name, history, None), plots.RunCurves("b", history, None)]
    return {
        "comparison": lambda: plots.comparison(compared, name, rows=name),
        "curve": lambda: plots.curve(history, name, best_epoch=1),
        "confusion": lambda: plots.confusion(np.eye(2, dtype=int), [name, f"{name}2"]),
        "image_gallery": lambda: plots.image_gallery(np.zeros((1, 8, 8)), [name], [name]),
        "text_gallery": lambda: plots.text_gallery([name], [name], ["b"]),
        "predicted_against_true": lambda: plots.predicted_against_true(PRICES, PRICES, name=name),
        "model": lambda: plots.model(Structure((1,), (Layer("Dense", name, LayerSize((1,))),))),
        "folds": lambda: plots.folds({1: history}, history, name, best_epoch=1),
        "smoothed": lambda: plots.smoothed([2.0, 1.0], name, skip=1, best_epoch=2),
    }


def test_every_plot_is_called_names():
    assert called("a").keys() == DRAWN.keys()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", NAMES)
def test_every_plot_is_drawn_whatever_things_are_called(kind, tmp_path):
    """Without a warning too, which would print the name as it is."""
    for draw in called(NAMES[kind]).values():
        assert saved(draw(), tmp_path / "a.png").startswith(b"\x89PNG")
