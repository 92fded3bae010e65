import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from nnrun.plots import confusion

SENTIMENT = ["negative", "positive"]
DIGITS = [str(digit) for digit in range(10)]
TOPICS = [f"{name}-{i}" for i in range(23) for name in ("tin", "strategic-metal")]


def counts(classes: int) -> np.ndarray:
    """Counts of a classifier that is mostly right; shape `(classes, classes)`."""
    rng = np.random.default_rng(0)
    chances = rng.gamma(0.3, 0.5, (classes, classes)) + np.diag([2.0 * classes] * classes)
    chances /= chances.sum(axis=1, keepdims=True)
    return np.stack([rng.multinomial(400, row) for row in chances])


def matrix(figure: Figure) -> Axes:
    return figure.axes[0]


@pytest.mark.parametrize("names", [SENTIMENT, DIGITS, TOPICS], ids=len)
def test_cells_say_the_counts_and_empty_ones_nothing(names):
    """The numbers are the result; a zero in most cells would hide them."""
    table = counts(len(names))
    written = {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text()
        for text in matrix(confusion(table, names)).texts
    }

    assert written == {(row, column): str(table[row, column]) for row, column in np.argwhere(table)}


def test_rows_are_true_and_columns_predicted():
    """The first row is on top, as in the table."""
    drawn = matrix(confusion(np.array([[3, 1], [0, 2]]), SENTIMENT))

    assert (drawn.get_ylabel(), drawn.get_xlabel()) == ("true class", "predicted class")
    assert [label.get_text() for label in drawn.get_yticklabels()] == SENTIMENT
    assert drawn.yaxis_inverted()


def test_colours_show_the_share_of_the_row():
    """A class of three rows is as visible as one of three hundred."""
    drawn = matrix(confusion(np.array([[300, 100], [0, 3]]), SENTIMENT))

    assert drawn.collections[0].get_array().tolist() == [[0.75, 0.25], [0, 1]]


def test_a_class_without_rows_is_an_empty_row():
    """A small test set may lack a class."""
    drawn = matrix(confusion(np.array([[0, 0], [1, 2]]), SENTIMENT))

    assert drawn.collections[0].get_array()[0].tolist() == [0, 0]


def test_numbers_are_white_on_dark_and_dark_on_white():
    """Both are read in the same matrix."""
    texts = matrix(confusion(np.array([[99, 1], [1, 99]]), SENTIMENT)).texts
    lightness = {text.get_text(): sum(to_rgb(text.get_color())) / 3 for text in texts}

    assert lightness["99"] == 1
    assert lightness["1"] < 0.2


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("names", [SENTIMENT, DIGITS, TOPICS], ids=len)
def test_class_names_do_not_overlap(names, axis):
    """Checked where it matters: on the pixels of a figure that was drawn."""
    figure = confusion(counts(len(names)), names)
    FigureCanvasAgg(figure).draw()
    labels = getattr(matrix(figure), f"get_{axis}ticklabels")()
    boxes = [label.get_window_extent() for label in labels]

    assert len(boxes) == len(names)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


@pytest.mark.parametrize("classes", [2, 10, 46, 100])
def test_numbers_stay_inside_their_cells(classes):
    """Also with 100 classes, each of thousands of rows."""
    figure = confusion(np.diag([9000] * classes), [f"class {i}" for i in range(classes)])
    FigureCanvasAgg(figure).draw()
    cell = matrix(figure).get_window_extent().width / classes

    assert max(text.get_window_extent().width for text in matrix(figure).texts) < cell


@pytest.mark.parametrize("names", [SENTIMENT, DIGITS, TOPICS, ["a name " * 9, "b"]], ids=len)
def test_nothing_is_cut_off_by_the_edge_of_the_figure(names):
    """Places are computed, so it is checked that they suffice."""
    figure = confusion(counts(len(names)), names)
    FigureCanvasAgg(figure).draw()
    inner = figure.get_tightbbox()
    width, height = figure.get_size_inches()

    assert inner.x0 >= 0
    assert inner.y0 >= 0
    assert inner.x1 <= width
    assert inner.y1 <= height


def test_long_names_are_cut_in_the_middle():
    """Names often differ at their end only."""
    names = ["comp.sys.ibm.pc.hardware.new", "comp.sys.ibm.pc.hardware.old"]
    labels = matrix(confusion(counts(2), names)).get_yticklabels()

    assert [label.get_text() for label in labels] == [
        "comp.sys.ibm.…ware.new",
        "comp.sys.ibm.…ware.old",
    ]


def test_the_title_says_how_many_are_right():
    """The one number that a reader would otherwise add up."""
    drawn = matrix(confusion(np.array([[900, 100], [25, 975]]), SENTIMENT))

    assert drawn.get_title(loc="left") == "1,875 of 2,000 right (93.8%)"


def test_no_rows_at_all_are_no_fault():
    """An empty test set gives an empty matrix."""
    drawn = matrix(confusion(np.zeros((2, 2), int), SENTIMENT))

    assert drawn.get_title(loc="left") == "0 of 0 right"


@pytest.mark.parametrize("classes", [101, 1280, 3000])
def test_of_many_classes_every_share_is_a_point(classes: int) -> None:
    """A cell each would make a picture that grows by the square of the classes."""
    counts = np.eye(classes, dtype=int) * 9
    counts[7, classes - 3] = 1
    figure = confusion(counts, [f"class {number}" for number in range(classes)])
    figure.draw_without_rendering()
    axes = figure.axes[0]
    shown = axes.images[0].get_array()

    assert max(figure.get_size_inches()) < 16
    assert not axes.texts
    row, column = (7 * len(shown)) // classes, ((classes - 3) * len(shown)) // classes
    assert shown[row, column] == pytest.approx(0.1)
    assert len(axes.get_yticks()) < 120
    assert [each.get_text() for each in axes.get_yticklabels()][:1] == ["class 0"]
