import numpy as np
import pytest
from matplotlib.axes import Axes

from nnrun.plots import predicted_against_true

TRUE = np.array([10.0, 20.0, 30.0])


def draw(target: np.ndarray, output: np.ndarray) -> Axes:
    return predicted_against_true(target, output, name="price in 1000 $").axes[0]


def points(axes: Axes) -> list[list[float]]:
    return axes.lines[-1].get_xydata().tolist()


@pytest.mark.parametrize("shape", [(3,), (3, 1)], ids=str)
def test_each_row_is_a_point(shape):
    """The title has the metric in the unit of the target."""
    axes = draw(TRUE, np.array([11.0, 19.0, 37.0]).reshape(shape))

    assert points(axes) == [[10, 11], [20, 19], [30, 37]]
    assert axes.get_title(loc="left") == "mean absolute error 3, 3 rows"


def test_both_axes_have_the_same_scale_and_the_diagonal():
    axes = draw(TRUE, np.array([1.0, 20.0, 90.0]))

    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_aspect() == 1
    assert axes.lines[0].get_slope() == 1


def test_many_points_are_fainter_than_few():
    few, many = np.arange(50.0), np.arange(5000.0)

    assert draw(many, many).lines[-1].get_alpha() < draw(few, few).lines[-1].get_alpha()


def test_values_that_are_not_finite_are_skipped():
    assert points(draw(TRUE, np.array([11.0, np.nan, np.inf]))) == [[10, 11]]


@pytest.mark.parametrize("output", [[np.nan] * 3, []], ids=["diverged", "empty"])
def test_a_plot_without_finite_values_has_a_note(output):
    axes = draw(TRUE[: len(output)], np.array(output))

    assert axes.get_title(loc="left") == "no finite values"
