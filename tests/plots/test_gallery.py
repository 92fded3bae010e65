import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from nnrun.plots import image_gallery, style, text_gallery

REVIEWS = ["one of the best films of the year", "two hours that nobody gives back"]


def digits(rows: int) -> np.ndarray:
    return load_digits().images[:rows]


def written(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def ink(figure: Figure) -> dict[str, str]:
    """The colour in which each text is written."""
    return {text.get_text(): to_hex(text.get_color()) for text in figure.axes[0].texts}


def test_above_each_picture_stand_label_and_prediction():
    """In the order of the rows; the last text explains the two lines."""
    figure = image_gallery(digits(3), ["0", "1", "2"], ["0", "7", "2"])

    assert written(figure) == [
        "0\n✓ 0",
        "1\n✗ 7",
        "2\n✓ 2",
        "label, and below it the prediction: ✓ right, ✗ wrong",
    ]


def test_a_wrong_prediction_is_red_framed_and_crossed():
    """Colour is one of three signs, because not everybody sees it."""
    figure = image_gallery(digits(2), ["0", "1"], ["0", "7"])
    frames = [(to_hex(p.get_edgecolor()), p.get_linewidth()) for p in figure.axes[0].patches]

    assert ink(figure)["1\n✗ 7"] == style.WRONG.lower()
    assert ink(figure)["0\n✓ 0"] == style.INK.lower()
    assert frames == [(style.GRID.lower(), 0.8), (style.WRONG.lower(), 2.5)]


def test_confidence_stands_beside_the_prediction():
    """A mistake made with confidence is another thing than a doubt."""
    figure = image_gallery(digits(1), ["0"], ["8"], confidence=[0.514])

    assert written(figure)[0] == "0\n✗ 8 (51%)"


def test_at_most_25_pictures_are_drawn():
    """The first ones: which those are is the caller's choice."""
    figure = image_gallery(digits(40), ["0"] * 40, ["0"] * 40)

    assert len(figure.axes[0].images) == 25


@pytest.mark.parametrize("rows", [0, 1, 4, 6, 25])
def test_pictures_keep_to_their_places(rows):
    """However many there are, none overlaps another or leaves the figure."""
    figure = image_gallery(digits(rows), ["0"] * rows, ["0"] * rows)
    FigureCanvasAgg(figure).draw()
    frames = [patch.get_window_extent() for patch in figure.axes[0].patches]

    assert sum(one.overlaps(other) for one in frames for other in frames) == rows
    assert all(figure.bbox.containsx(box.x1) and box.y0 >= 0 for box in frames)


@pytest.mark.parametrize(
    "scale",
    [lambda x: x / 16, lambda x: (x * 15).astype(np.uint8), lambda x: (x - x.mean()) / x.std()],
    ids=["unit", "bytes", "standardised"],
)
def test_the_range_of_values_does_not_matter(scale):
    """A picture looks the same however the values were prepared."""
    figure = image_gallery(scale(digits(2)), ["0", "1"], ["0", "1"])

    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), digits(1)[0] / 16, atol=1e-7)


@pytest.mark.parametrize(("channels", "drawn"), [(1, (8, 8)), (2, (8, 8)), (3, (8, 8, 3))])
def test_channels_are_grey_or_colours(channels, drawn):
    """Three channels are red, green and blue; any other number has no colours of its own."""
    images = np.stack([digits(1)] * channels, axis=-1)
    figure = image_gallery(images, ["0"], ["0"])

    assert figure.axes[0].images[0].get_array().shape == drawn


def test_an_image_of_one_value_is_drawn():
    """A range of zero is nothing to divide by."""
    figure = image_gallery(np.full((1, 8, 8), 7.0), ["0"], ["0"])

    assert not figure.axes[0].images[0].get_array().any()


def test_an_image_keeps_its_proportions():
    """A wide image is wide."""
    frame = image_gallery(np.zeros((1, 10, 20)), ["a"], ["a"]).axes[0].patches[0]

    assert frame.get_width() == pytest.approx(2 * frame.get_height())


def test_above_each_text_stand_label_and_prediction():
    """With the same marks as above pictures."""
    figure = text_gallery(
        REVIEWS, ["positive", "negative"], ["positive", "positive"], confidence=[0.98, 0.6]
    )

    assert written(figure) == [
        "✓ label: positive   prediction: positive (98%)",
        REVIEWS[0],
        "✗ label: negative   prediction: positive (60%)",
        REVIEWS[1],
    ]


def test_a_wrong_text_is_red_and_barred():
    """The bar beside it is thick, which is seen without colours."""
    figure = text_gallery(REVIEWS, ["positive", "negative"], ["positive", "positive"])

    assert ink(figure)["✗ label: negative   prediction: positive"] == style.WRONG.lower()
    assert [line.get_linewidth() for line in figure.axes[0].lines] == [1.5, 3.5]


@pytest.mark.parametrize("text", ["$5 or $x^2$", r"\frac{1}{2} a_b", "<br /> & <b>", r"\$ $ \\"])
def test_signs_of_markup_survive_literally(text):
    """A review is not mathematics: it is drawn as it was written, and never refused."""
    figure = text_gallery([text], ["$a$"], ["$b$"])
    FigureCanvasAgg(figure).draw()

    assert written(figure) == ["✗ label: $a$   prediction: $b$", text]
    assert not any(line.get_parse_math() for line in figure.axes[0].texts)


def test_a_long_text_ends_between_words():
    """After about 300 characters, with a sign that it goes on."""
    text = " ".join(["wonderful"] * 100)
    shown = " ".join(written(text_gallery([text], ["a"], ["a"]))[1:])

    assert shown == " ".join(["wonderful"] * 29) + " wonderful…"


@pytest.mark.parametrize("text", ["MMMM WWWW " * 40, "i " * 200, "x" * 400], ids=lambda t: t[:4])
def test_lines_fit_the_page(text):
    """Wide letters wrap earlier, and a word without end is broken."""
    figure = text_gallery([text], ["a"], ["a"])
    FigureCanvasAgg(figure).draw()

    assert all(line.get_window_extent().x1 <= figure.bbox.width for line in figure.axes[0].texts)


def test_control_characters_become_spaces():
    """Old corpora hold them, and no font can draw them."""
    figure = text_gallery(["good \x96 bad\nugly"], ["a"], ["a"])

    assert written(figure)[1] == "good bad ugly"


def test_an_empty_text_says_so():
    """An empty line would look like a fault of the plot."""
    assert written(text_gallery([""], ["a"], ["a"]))[1] == "(an empty text)"


def test_at_most_8_texts_are_written():
    """More would not fit a page."""
    figure = text_gallery(["a film"] * 20, ["a"] * 20, ["a"] * 20)

    assert written(figure).count("a film") == 8
