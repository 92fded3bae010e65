import numpy as np
import pytest
from matplotlib.axes import Axes

from nnrun.plots import predicted_against_true

TRUE = np.array([10.0, 20.0, 30.0])


def drawn(target: np.ndarray, output: np.ndarray) -> Axes:
    return predicted_against_true(target, output, name="price in 1000 $").axes[0]


def points(axes: Axes) -> list[list[float]]:
    return axes.lines[-1].get_xydata().tolist()


@pytest.mark.parametrize("shape", [(3,), (3, 1)], ids=str)
def test_each_row_is_a_point(shape):
    """A model's output has a column; whether it was dropped does not matter."""
    output = np.array([11.0, 19.0, 36.0]).reshape(shape)

    assert points(drawn(TRUE, output)) == [[10, 11], [20, 19], [30, 36]]


def test_the_title_says_the_mean_absolute_error():
    """In the unit of the target, as metrics.json has it."""
    title = drawn(TRUE, np.array([11.0, 19.0, 37.0])).get_title(loc="left")

    assert title == "mean absolute error 3, 3 rows"


def test_both_axes_are_alike():
    """Only then is the distance from the diagonal an error."""
    axes = drawn(TRUE, np.array([1.0, 20.0, 90.0]))

    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_aspect() == 1


def test_the_diagonal_is_drawn():
    """Where a right prediction would lie."""
    diagonal = drawn(TRUE, TRUE).lines[0]

    assert diagonal.get_slope() == 1


def test_the_axes_say_what_the_values_are():
    """A dollar in a name is a dollar."""
    axes = drawn(TRUE, TRUE)

    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "true price in 1000 $",
        "predicted price in 1000 $",
    )
    assert not axes.xaxis.label.get_parse_math()


def test_many_points_are_fainter_than_few():
    """So that a crowd shows as a dark place instead of a blot."""
    few, many = np.arange(50.0), np.arange(5000.0)

    assert drawn(many, many).lines[-1].get_alpha() < drawn(few, few).lines[-1].get_alpha()


def test_values_that_are_not_finite_are_left_out():
    """A run that diverged still gets its plot."""
    axes = drawn(TRUE, np.array([11.0, np.nan, np.inf]))

    assert points(axes) == [[10, 11]]


@pytest.mark.parametrize("output", [[np.nan] * 3, []], ids=["diverged", "empty"])
def test_no_finite_value_at_all_is_said(output):
    """Empty axes alone would look like a fault of the plot."""
    axes = drawn(TRUE[: len(output)], np.array(output))

    assert axes.get_title(loc="left") == "no finite values"
