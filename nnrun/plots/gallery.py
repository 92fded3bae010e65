"""Galleries of test images and texts, each with its label and prediction. Lengths are in inches."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nnrun.plots import style
from nnrun.types import Array

MAX_IMAGES, COLUMNS = 25, 5
MAX_PICTURES, MASK_COLORS = 8, 20
MAX_TEXTS, CHARACTERS = 8, 300
TEXT = 9.0  # font size of texts, in points
SIDE, GAP = 1.44, 0.08  # side of an image, and the margin around it
CAPTION = 0.43  # height of the two lines above an image
LEGEND = 0.3  # height of the line at the top
PAGE, MARGIN, LINE = 7.6, 0.3, 0.175  # width of a page of texts, its margin, height of a line


def image_gallery(
    images: Array,
    labels: Sequence[str],
    predictions: Sequence[str],
    *,
    confidence: Sequence[float] | None = None,
) -> Figure:
    """Draws the first 25 images with label and prediction.

    A wrong prediction has a cross, a frame and red text; a correct one has a tick.

    Args:
        images: shape `(rows, height, width)` or `(rows, height, width, channels)`, any range.
        confidence: the probability of each prediction, between 0 and 1.
    """
    shown = _rescale(np.asarray(images)[:MAX_IMAGES])
    captions = _captions(labels, predictions, confidence)[: len(shown)]
    columns = min(COLUMNS, max(len(shown), 2))
    rows = -(-len(shown) // columns)
    cell = SIDE + 2 * GAP
    # All images share one axes: a grid of axes takes several times as long.
    figure, sheet = style.sheet(cell * columns, (cell + CAPTION) * rows + LEGEND)
    for index, (image, caption) in enumerate(zip(shown, captions, strict=True)):
        row, column = divmod(index, columns)
        bottom = (cell + CAPTION) * (rows - 1 - row) + GAP
        _image(sheet, image, caption, corner=(cell * column + GAP, bottom))
    sheet.text(
        GAP,
        figure.get_figheight() - 0.6 * LEGEND,
        "label, and below it the prediction: ✓ right, ✗ wrong",
        color=style.FAINT,
        fontsize=style.SMALL,
        va="center",
    )
    return figure


def text_gallery(
    texts: Sequence[str],
    labels: Sequence[str],
    predictions: Sequence[str],
    *,
    confidence: Sequence[float] | None = None,
) -> Figure:
    """Writes the first 8 texts, shortened, with label and prediction.

    A wrong prediction has a cross, a thick bar and red text; a correct one has a tick.
    """
    blocks = [_wrap(text) for text in texts[:MAX_TEXTS]]
    captions = _captions(labels, predictions, confidence)[: len(blocks)]
    # A block is its lines, a heading, and an empty line.
    figure, sheet = style.sheet(PAGE, LINE * (sum(len(block) + 2 for block in blocks) + 1))
    top = figure.get_figheight() - LINE
    for block, caption in zip(blocks, captions, strict=True):
        _text(sheet, block, caption, top=top)
        top -= LINE * (len(block) + 2)
    return figure


def picture_gallery(
    images: Array | None, target: Array, output: Array, *, classes: int = 0
) -> Figure:
    """Draws the first 8 pictures, each with the true and the predicted picture or mask beside it.

    Args:
        images: shape `(rows, height, width)` or `(rows, height, width, channels)`, any range; None
            if the pictures are the inputs themselves.
        target, output: likewise; or class numbers of shape `(rows, height, width)`.
        classes: number of classes; 0 if they are pictures.
    """
    shown = min(MAX_PICTURES, len(target))
    names = ("input", "output") if images is None else ("input", "true", "predicted")
    cell = SIDE + 2 * GAP
    figure, sheet = style.sheet(len(names) * cell, cell * max(shown, 1) + LEGEND)
    for column, name in enumerate(names):
        sheet.text(
            cell * column + cell / 2,
            figure.get_figheight() - 0.6 * LEGEND,
            name,
            color=style.INK,
            fontsize=style.SMALL,
            ha="center",
            va="center",
        )
    pair = np.concatenate([np.asarray(target)[:shown], np.asarray(output)[:shown]])
    pair = _rescale(pair) if not classes else pair
    first = [] if images is None else [_rescale(np.asarray(images)[:shown])]
    for row in range(shown):
        bottom = cell * (shown - 1 - row) + GAP
        for column, picture in enumerate(
            [*(pictures[row] for pictures in first), pair[row], pair[shown + row]]
        ):
            is_mask = classes > 0 and column > 0
            sheet.imshow(
                picture % MASK_COLORS if is_mask else picture,
                cmap="tab20" if is_mask else "gray",
                vmin=0,
                vmax=MASK_COLORS - 1 if is_mask else 1,
                interpolation="nearest",
                aspect="auto",
                extent=_extent(picture, (cell * column + GAP, bottom)),
            )
    return figure


def _extent(image: Array, corner: tuple[float, float]) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of an image in a square with its lower left `corner`."""
    height, width = np.array(image.shape[:2]) * SIDE / max(image.shape[:2])
    left = corner[0] + (SIDE - width) / 2
    return (left, left + width, corner[1], corner[1] + height)


@dataclass(frozen=True)
class _Caption:
    """Label, prediction and confidence of one row."""

    label: str
    prediction: str
    percent: str

    @property
    def correct(self) -> bool:
        return self.label == self.prediction

    @property
    def mark(self) -> str:
        return "✓" if self.correct else "✗"

    def color(self, correct: str) -> str:
        return correct if self.correct else style.WRONG


def _captions(
    labels: Sequence[str], predictions: Sequence[str], confidence: Sequence[float] | None
) -> list[_Caption]:
    percents = [""] * len(labels) if confidence is None else [f" ({p:.0%})" for p in confidence]
    return [_Caption(*row) for row in zip(labels, predictions, percents, strict=True)]


def _rescale(images: Array) -> Array:
    """Scales images together to 0..1; shape `(rows, height, width)` or `(rows, height, width, 3)`."""
    values = np.nan_to_num(images.astype(float), posinf=0, neginf=0)
    if values.ndim == 4:
        values = values[..., :3] if values.shape[-1] >= 3 else values.mean(axis=-1)
    low, high = values.min(initial=np.inf), values.max(initial=-np.inf)
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _image(sheet: Axes, image: Array, caption: _Caption, *, corner: tuple[float, float]) -> None:
    """Draws one image at its lower left `corner`."""
    extent = _extent(image, corner)
    left, right, bottom, top = extent
    width, height = right - left, top - bottom
    sheet.imshow(
        image, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto", extent=extent
    )
    frame = Rectangle((left, bottom), width, height, fill=False)
    frame.set(edgecolor=caption.color(style.GRID), linewidth=0.8 if caption.correct else 2.5)
    sheet.add_patch(frame)
    label = style.shorten(caption.label, 20)
    prediction = style.shorten(caption.prediction, 12 if caption.percent else 18)
    sheet.text(
        corner[0] + SIDE / 2,
        bottom + height + GAP,
        f"{label}\n{caption.mark} {prediction}{caption.percent}",
        color=caption.color(style.INK),
        fontsize=style.SMALL,
        ha="center",
        va="bottom",
        parse_math=False,
    )


def _wrap(text: str) -> list[str]:
    """Wraps a text to the width of the page."""
    beginning = style.excerpt(text, CHARACTERS)
    if not beginning:
        return ["(an empty text)"]
    character = style.width([beginning], TEXT) / len(beginning)
    return textwrap.wrap(beginning, int(0.95 * (PAGE - 2 * MARGIN) / character))


def _text(sheet: Axes, lines: list[str], caption: _Caption, *, top: float) -> None:
    """Writes one text below its heading at height `top`."""
    label, prediction = (style.shorten(n, 26) for n in (caption.label, caption.prediction))
    heading = f"{caption.mark} label: {label}   prediction: {prediction}{caption.percent}"
    for number, line in enumerate([heading, *lines]):
        text = sheet.text(MARGIN, top - number * LINE, line, va="center", parse_math=False)
        text.set(color=style.INK, fontsize=TEXT)
        if number == 0:
            text.set(color=caption.color(style.INK), fontsize=style.NORMAL, fontweight="bold")
    sheet.plot(
        [0.6 * MARGIN] * 2,
        [top + LINE / 2, top - (len(lines) + 0.5) * LINE],
        color=caption.color(style.GRID),
        linewidth=1.5 if caption.correct else 3.5,
        solid_capstyle="butt",
    )
