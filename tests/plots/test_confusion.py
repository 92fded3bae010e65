import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from nnrun.plots import confusion

SENTIMENT = ["negative", "positive"]
DIGITS = [str(digit) for digit in range(10)]
TOPICS = [f"{name}-{i}" for i in range(23) for name in ("tin", "strategic-metal")]


def counts(classes: int) -> np.ndarray:
    """Counts of a mostly correct classifier; shape `(classes, classes)`."""
    rng = np.random.default_rng(0)
    chances = rng.gamma(0.3, 0.5, (classes, classes)) + np.diag([2.0 * classes] * classes)
    chances /= chances.sum(axis=1, keepdims=True)
    return np.stack([rng.multinomial(400, row) for row in chances])


def axes_of(table: list[list[int]] | np.ndarray, names: list[str] = SENTIMENT) -> Axes:
    return confusion(np.array(table), names).axes[0]


@pytest.mark.parametrize("names", [SENTIMENT, DIGITS, TOPICS], ids=len)
def test_cells_show_counts_except_zeros(names):
    table = counts(len(names))
    shown = {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text()
        for text in axes_of(table, names).texts
    }

    assert shown == {(row, column): str(table[row, column]) for row, column in np.argwhere(table)}


def test_rows_are_true_and_columns_predicted():
    """The first row is on top, as in the table."""
    axes = axes_of([[3, 1], [0, 2]])

    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted class")
    assert [label.get_text() for label in axes.get_yticklabels()] == SENTIMENT
    assert axes.yaxis_inverted()


@pytest.mark.parametrize(
    ("table", "shares"),
    [
        ([[300, 100], [0, 3]], [[0.75, 0.25], [0, 1]]),
        ([[0, 0], [1, 3]], [[0, 0], [0.25, 0.75]]),  # a class without rows
    ],
)
def test_colors_show_shares_of_the_true_class(table, shares):
    assert axes_of(table).collections[0].get_array().tolist() == shares


def test_numbers_contrast_with_their_cell():
    texts = axes_of([[99, 1], [1, 99]]).texts
    lightness = {text.get_text(): sum(to_rgb(text.get_color())) / 3 for text in texts}

    assert lightness["99"] == 1
    assert lightness["1"] < 0.2


@pytest.mark.parametrize("names", [SENTIMENT, DIGITS, TOPICS, ["a name " * 9, "b"]], ids=len)
def test_nothing_overlaps_or_is_cut_off(names):
    figure = confusion(counts(len(names)), names)
    FigureCanvasAgg(figure).draw()
    inner = figure.get_tightbbox()
    width, height = figure.get_size_inches()

    assert min(inner.x0, inner.y0) >= 0
    assert inner.x1 <= width
    assert inner.y1 <= height
    for labels in (figure.axes[0].get_xticklabels(), figure.axes[0].get_yticklabels()):
        boxes = [label.get_window_extent() for label in labels]
        assert len(boxes) == len(names)
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


@pytest.mark.parametrize("classes", [2, 100])
def test_numbers_stay_inside_their_cells(classes):
    figure = confusion(np.diag([9000] * classes), [f"class {i}" for i in range(classes)])
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    cell = axes.get_window_extent().width / classes

    assert max(text.get_window_extent().width for text in axes.texts) < cell


@pytest.mark.parametrize(
    ("table", "title"),
    [
        ([[900, 100], [25, 975]], "1,875 of 2,000 right (93.8%)"),
        ([[0, 0], [0, 0]], "0 of 0 right"),
    ],
)
def test_the_title_shows_the_number_of_correct_rows(table, title):
    assert axes_of(table).get_title(loc="left") == title


@pytest.mark.parametrize("classes", [101, 1300])
def test_many_classes_are_drawn_as_pixels(classes: int) -> None:
    """The size of a figure with cells would grow with the number of classes."""
    table = np.eye(classes, dtype=int) * 9
    table[7, classes - 3] = 1
    figure = confusion(table, [f"class {number}" for number in range(classes)])
    figure.draw_without_rendering()
    axes = figure.axes[0]
    pixels = axes.images[0].get_array()
    row, column = (7 * len(pixels)) // classes, ((classes - 3) * len(pixels)) // classes

    assert max(figure.get_size_inches()) < 16
    assert not axes.texts
    assert pixels[row, column] == pytest.approx(0.1)
    assert len(axes.get_yticks()) < 120
    assert axes.get_yticklabels()[0].get_text() == "class 0"
