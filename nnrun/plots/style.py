"""The look that all plots share.

Set on each figure rather than through rc parameters: matplotlib makes ticks only when it draws,
and by then a surrounding `rc_context` would be over.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path

# How names and texts are written on a plot, where room is short.

ELLIPSIS = "…"
LABEL = 80
"""Characters of the longest name for which a plot has room."""


def spaced(metric: str) -> str:
    """A metric's name as people write it.

    Example:
        >>> spaced("binary_accuracy")
        'binary accuracy'
    """
    return metric.replace("_", " ")


def shortened(name: str, limit: int = LABEL) -> str:
    """A name of at most `limit` characters; both ends stay, as either may tell names apart.

    Example:
        >>> shortened("comp.sys.ibm.pc.hardware", 16)
        'comp.sys.…rdware'
    """
    # Of a control character matplotlib complains on the terminal, where it would be obeyed.
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    if len(name) <= limit:
        return name
    tail = (limit - 1) * 2 // 5
    head = limit - 1 - tail
    return name[:head].rstrip() + ELLIPSIS + name[len(name) - tail :].lstrip()


def excerpt(text: str, limit: int) -> str:
    """The beginning of a text in one line, ended between two words.

    Example:
        >>> excerpt("a film of rare beauty", 12)
        'a film of…'
    """
    # Old corpora hold control characters, which no font can draw.
    printable = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(printable.split())
    if len(line) <= limit:
        return line
    words, _, _ = line[: limit + 1].rpartition(" ")
    return (words or line[:limit]) + ELLIPSIS


# Okabe and Ito's colours, which people with any kind of colour vision tell apart.
TRAINING = "#0072B2"
VALIDATION = "#D55E00"
SEVERAL = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8B6914", "#5B5B9F")
INK = "#222222"
FAINT = "#8A8A8A"
HAIRLINE = "#E3E3E3"
# Never the only sign of a mistake: a cross stands beside it.
WRONG = "#C1121F"

SMALL, NORMAL, LARGE = 8.0, 9.5, 10.5
"""Font sizes in points."""

# Names within an SVG are drawn by lot otherwise. It has no place in a figure of its own.
matplotlib.rcParams["svg.hashsalt"] = "nnrun"

DPI = 100
POINTS = 72
"""Points per inch."""

ROUND = (1, 2, 5, 10)
"""Ticks stand at multiples of these, times a power of ten."""


def blank(width: float, height: float) -> Figure:
    """An empty white figure; `width` and `height` are in inches."""
    figure = Figure((width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """A white figure, and axes without ticks that cover it: one unit is one inch."""
    figure = blank(width, height)
    axes = figure.add_axes((0, 0, 1, 1), autoscale_on=False)
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    return figure, axes


def warm_up() -> None:
    """Loads fonts and the writer of pictures, for which the first figure of a process waits."""
    figure, axes = sheet(1, 1)
    axes.text(0, 0, "0")
    figure.canvas.print_png(BytesIO())  # type: ignore[attr-defined]


def settle(figure: Figure) -> None:
    """Makes room for all labels, once.

    A layout engine left in the figure would move things a little further whenever it is drawn,
    and the second file would differ from the first.
    """
    ConstrainedLayoutEngine().execute(figure)


def dress(axes: Axes) -> None:
    """Gives axes a faint grid behind the data, two spines and small ticks."""
    axes.set_facecolor("white")
    axes.set_axisbelow(True)
    axes.grid(visible=True, color=HAIRLINE, linewidth=0.8, linestyle="-")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=FAINT, linewidth=0.8)
    axes.tick_params(color=FAINT, labelcolor=INK, labelsize=SMALL + 1, length=3, width=0.8)


def name_axes(axes: Axes, x: str, y: str) -> None:
    """Writes the axes' names as they are: a `$` in them is a dollar, not mathematics."""
    for name, write in ((x, axes.set_xlabel), (y, axes.set_ylabel)):
        write(shortened(name), color=INK, fontsize=LARGE, parse_math=False)


def title(axes: Axes, text: str) -> None:
    """Writes a title that begins where the axes begin."""
    axes.set_title(text, loc="left", color=INK, fontsize=LARGE, parse_math=False)


def width(texts: Iterable[str], size: float) -> float:
    """Width of the widest text in inches, written at `size` points."""
    font = FontProperties(size=size)
    measure = text_to_path.get_text_width_height_descent
    return max((measure(text, font, ismath=False)[0] for text in texts), default=0.0) / POINTS
