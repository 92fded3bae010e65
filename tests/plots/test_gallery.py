import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from nnrun.plots import image_gallery, style, text_gallery

REVIEWS = ["one of the best films of the year", "two hours that nobody gives back"]
DIGITS = load_digits().images


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def colors(figure: Figure) -> dict[str, str]:
    return {text.get_text(): to_hex(text.get_color()) for text in figure.axes[0].texts}


def pixels(figure: Figure) -> np.ndarray:
    return figure.axes[0].images[0].get_array()


def test_images_have_label_and_prediction():
    """A wrong prediction also has a frame and a color."""
    figure = image_gallery(DIGITS[:2], ["0", "1"], ["0", "7"], confidence=[0.9, 0.514])
    frames = [(to_hex(p.get_edgecolor()), p.get_linewidth()) for p in figure.axes[0].patches]

    assert texts(figure) == [
        "0\n✓ 0 (90%)",
        "1\n✗ 7 (51%)",
        "label, and below it the prediction: ✓ right, ✗ wrong",
    ]
    assert colors(figure)["1\n✗ 7 (51%)"] == style.WRONG.lower()
    assert colors(figure)["0\n✓ 0 (90%)"] == style.INK.lower()
    assert frames == [(style.GRID.lower(), 0.8), (style.WRONG.lower(), 2.5)]


@pytest.mark.parametrize("rows", [0, 1, 6, 40])
def test_at_most_25_images_are_drawn_without_overlap(rows):
    figure = image_gallery(DIGITS[:rows], ["0"] * rows, ["0"] * rows)
    FigureCanvasAgg(figure).draw()
    frames = [patch.get_window_extent() for patch in figure.axes[0].patches]

    assert len(frames) == len(figure.axes[0].images) == min(rows, 25)
    assert sum(one.overlaps(other) for one in frames for other in frames) == len(frames)
    assert all(figure.bbox.containsx(box.x1) and box.y0 >= 0 for box in frames)


@pytest.mark.parametrize(
    "scale",
    [lambda x: x / 16, lambda x: (x * 15).astype(np.uint8), lambda x: (x - x.mean()) / x.std()],
    ids=["unit", "bytes", "standardized"],
)
def test_images_of_any_range_are_rescaled(scale):
    figure = image_gallery(scale(DIGITS[:2]), ["0", "1"], ["0", "1"])

    np.testing.assert_allclose(pixels(figure), DIGITS[0] / 16, atol=1e-7)


@pytest.mark.parametrize(("channels", "shape"), [(1, (8, 8)), (2, (8, 8)), (3, (8, 8, 3))])
def test_images_with_three_channels_are_rgb_and_others_gray(channels, shape):
    images = np.stack([DIGITS[:1]] * channels, axis=-1)

    assert pixels(image_gallery(images, ["0"], ["0"])).shape == shape


def test_an_image_with_one_value_is_black():
    assert not pixels(image_gallery(np.full((1, 8, 8), 7.0), ["0"], ["0"])).any()


def test_an_image_keeps_its_proportions():
    frame = image_gallery(np.zeros((1, 10, 20)), ["a"], ["a"]).axes[0].patches[0]

    assert frame.get_width() == pytest.approx(2 * frame.get_height())


def test_texts_have_label_and_prediction():
    """A wrong prediction also has a thick bar and a color."""
    labels, predictions = ["positive", "negative"], ["positive", "positive"]
    figure = text_gallery(REVIEWS, labels, predictions, confidence=[0.98, 0.6])
    wrong = "✗ label: negative   prediction: positive (60%)"

    assert texts(figure) == [
        "✓ label: positive   prediction: positive (98%)",
        REVIEWS[0],
        wrong,
        REVIEWS[1],
    ]
    assert colors(figure)[wrong] == style.WRONG.lower()
    assert [line.get_linewidth() for line in figure.axes[0].lines] == [1.5, 3.5]


@pytest.mark.parametrize("text", ["$5 or $x^2$", r"\frac{1}{2} a_b", "<br /> & <b>", r"\$ $ \\"])
def test_markup_is_drawn_literally(text):
    figure = text_gallery([text], ["$a$"], ["$b$"])
    FigureCanvasAgg(figure).draw()

    assert texts(figure) == ["✗ label: $a$   prediction: $b$", text]
    assert not any(line.get_parse_math() for line in figure.axes[0].texts)


def test_a_long_text_ends_between_words():
    text = " ".join(["wonderful"] * 100)
    shown = " ".join(texts(text_gallery([text], ["a"], ["a"]))[1:])

    assert shown == " ".join(["wonderful"] * 29) + " wonderful…"


@pytest.mark.parametrize("text", ["MMMM WWWW " * 40, "i " * 200, "x" * 400], ids=lambda t: t[:4])
def test_lines_fit_the_page(text):
    figure = text_gallery([text], ["a"], ["a"])
    FigureCanvasAgg(figure).draw()

    assert all(line.get_window_extent().x1 <= figure.bbox.width for line in figure.axes[0].texts)


@pytest.mark.parametrize(
    ("text", "shown"), [("good \x96 bad\nugly", "good bad ugly"), ("", "(an empty text)")]
)
def test_control_characters_and_empty_texts_are_replaced(text, shown):
    assert texts(text_gallery([text], ["a"], ["a"]))[1] == shown


def test_at_most_8_texts_are_drawn():
    figure = text_gallery(["a film"] * 20, ["a"] * 20, ["a"] * 20)

    assert texts(figure).count("a film") == 8
