"""Colors, fonts and layout of all plots, and shortening of names and texts.

Styles are set on each figure, not through rc parameters: matplotlib creates ticks only when it
draws, after an `rc_context` has ended.
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

ELLIPSIS = "…"
LABEL = 80  # characters of a name on a plot


def shorten(name: str, limit: int = LABEL) -> str:
    """Shortens a name to `limit` characters; both ends stay, since either may distinguish it.

    Example:
        >>> shorten("comp.sys.ibm.pc.hardware", 16)
        'comp.sys.…rdware'
    """
    # Matplotlib would print a warning with the control character on the terminal.
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    if len(name) <= limit:
        return name
    tail = (limit - 1) * 2 // 5
    head = limit - 1 - tail
    return name[:head].rstrip() + ELLIPSIS + name[len(name) - tail :].lstrip()


def excerpt(text: str, limit: int) -> str:
    """Cuts a text to one line of at most `limit` characters, between two words.

    Example:
        >>> excerpt("a film of rare beauty", 12)
        'a film of…'
    """
    # Old corpora contain control characters, which no font can draw.
    printable = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(printable.split())
    if len(line) <= limit:
        return line
    words, _, _ = line[: limit + 1].rpartition(" ")
    return (words or line[:limit]) + ELLIPSIS


# The palette of Okabe and Ito, safe for color-blind readers.
TRAINING = "#0072B2"
VALIDATION = "#D55E00"
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8B6914", "#5B5B9F")
INK = "#222222"
FAINT = "#8A8A8A"
GRID = "#E3E3E3"
# Never the only sign of a mistake: there is always a cross too.
WRONG = "#C1121F"

SMALL, NORMAL, LARGE = 8.0, 9.5, 10.5
"""Font sizes in points."""

# Without it, ids within an SVG are random. It cannot be set per figure.
matplotlib.rcParams["svg.hashsalt"] = "nnrun"

DPI = 100
POINTS = 72  # per inch
ROUND = (1, 2, 5, 10)  # ticks are at multiples of these, times a power of ten


def blank(width: float, height: float) -> Figure:
    """An empty white figure; `width` and `height` are in inches."""
    figure = Figure((width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """A white figure with axes that cover it, without ticks; one unit is one inch."""
    figure = blank(width, height)
    axes = figure.add_axes((0, 0, 1, 1), autoscale_on=False)
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    return figure, axes


def preload() -> None:
    """Loads fonts and the PNG writer before the first figure needs them."""
    figure, axes = sheet(1, 1)
    axes.text(0, 0, "0")
    figure.canvas.print_png(BytesIO())  # type: ignore[attr-defined]


def fix_layout(figure: Figure) -> None:
    """Runs the layout engine once.

    If it stayed in the figure, every drawing would move things a little, and two files of the
    same figure would differ.
    """
    ConstrainedLayoutEngine().execute(figure)


def set_style(axes: Axes) -> None:
    """Sets a faint grid behind the data, two spines and small ticks."""
    axes.set_facecolor("white")
    axes.set_axisbelow(True)
    axes.grid(visible=True, color=GRID, linewidth=0.8, linestyle="-")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=FAINT, linewidth=0.8)
    axes.tick_params(color=FAINT, labelcolor=INK, labelsize=SMALL + 1, length=3, width=0.8)


def name_axes(axes: Axes, x: str, y: str) -> None:
    """Sets the axis labels literally: a `$` is a dollar, not mathematics."""
    for name, write in ((x, axes.set_xlabel), (y, axes.set_ylabel)):
        write(shorten(name), color=INK, fontsize=LARGE, parse_math=False)


def title(axes: Axes, text: str) -> None:
    """Sets a title aligned with the left end of the axes."""
    axes.set_title(text, loc="left", color=INK, fontsize=LARGE, parse_math=False)


def width(texts: Iterable[str], size: float) -> float:
    """Width of the widest text in inches, at a font size of `size` points."""
    font = FontProperties(size=size)
    measure = text_to_path.get_text_width_height_descent
    return max((measure(text, font, ismath=False)[0] for text in texts), default=0.0) / POINTS
