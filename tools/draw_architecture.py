"""Draws the packages of nnrun and the imports between them: docs/images/architecture.svg.

Boxes stand in the layers of the contract in pyproject.toml. An arrow means "imports"; arrows that
follow from others are left out. Equal imports give an equal file.

    python tools/draw_architecture.py [--check]
"""

from __future__ import annotations

import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 190, 44, 50, 46, 20
Point = tuple[float, float]


def layers() -> list[list[str]]:
    """Packages of each layer, from the top."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(each for each in settings["contracts"] if each["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def imports(packages: list[str]) -> dict[str, set[str]]:
    """What each package imports, without imports that follow from others."""
    graph = grimp.build_graph("nnrun", cache_dir=None)
    for name in packages:
        if graph.find_children(f"nnrun.{name}"):
            graph.squash_module(f"nnrun.{name}")
    direct = {
        name: {
            other
            for other in packages
            if other != name
            and graph.direct_import_exists(importer=f"nnrun.{name}", imported=f"nnrun.{other}")
        }
        for name in packages
    }
    reached: dict[str, set[str]] = {}
    for name in TopologicalSorter(direct).static_order():
        reached[name] = direct[name].union(*(reached[other] for other in direct[name]))
    return {
        name: {
            other
            for other in found
            if not any(other in reached[third] for third in found - {other})
        }
        for name, found in direct.items()
    }


def size(package: str) -> str:
    """How many modules a package has."""
    path = ROOT / "nnrun" / package
    count = len(list(path.rglob("*.py")))
    return f"{count} modules" if path.is_dir() else "1 module"


def draw() -> str:
    """The picture as SVG."""
    rows = layers()
    packages = [name for row in rows for name in row]
    total = max(len(row) for row in rows) * (WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    places: dict[str, Point] = {}
    for number, row in enumerate(rows):
        left = (total - len(row) * (WIDTH + GAP_X) + GAP_X) / 2
        for column, name in enumerate(row):
            shift = (WIDTH + GAP_X) / 2 * (-1 if number % 2 else 1) if len(row) == 1 else 0
            places[name] = (
                left + column * (WIDTH + GAP_X) + shift,
                MARGIN + number * (HEIGHT + GAP_Y),
            )
    height = MARGIN * 2 + len(rows) * (HEIGHT + GAP_Y) - GAP_Y
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:g} {height:g}"',
        'font-family="sans-serif">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7"',
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#666"/></marker></defs>',
        f'<rect width="{total:g}" height="{height:g}" fill="white"/>',
    ]
    for name, found in imports(packages).items():
        parts += [_arrow(places[name], places[other]) for other in sorted(found)]
    parts += [_box(name, place) for name, place in places.items()]
    return "\n".join([*parts, "</svg>", ""])


def _arrow(start: Point, end: Point) -> str:
    x, y = start[0] + WIDTH / 2, start[1] + HEIGHT
    to_x, to_y = end[0] + WIDTH / 2, end[1] - 2
    middle = (y + to_y) / 2
    path = f"M{x:g} {y:g} C{x:g} {middle:g} {to_x:g} {middle:g} {to_x:g} {to_y:g}"
    return f'<path d="{path}" fill="none" stroke="#666" marker-end="url(#tip)"/>'


def _box(name: str, place: Point) -> str:
    x, y = place
    middle = x + WIDTH / 2
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#EAF2F8" '
        'stroke="#5B7C99"/>'
        f'<text x="{middle:g}" y="{y + 19:g}" text-anchor="middle" font-size="15">{name}</text>'
        f'<text x="{middle:g}" y="{y + 35:g}" text-anchor="middle" font-size="11" fill="#555">'
        f"{size(name)}</text>"
    )


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PICTURE.read_text(encoding="utf-8") != draw() and "the picture is out of date")
    PICTURE.write_text(draw(), encoding="utf-8")
