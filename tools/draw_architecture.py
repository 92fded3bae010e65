"""Draws the packages of nnrun and the imports between them: docs/images/architecture.svg.

Boxes stand in the layers of the contract in pyproject.toml; neighboring layers that do not import
each other share a row. An arrow means "imports". Arrows that follow from other arrows are left
out. Equal imports give an equal file.

    python tools/draw_architecture.py [--check]
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 150, 36, 70, 44, 60
Point = tuple[float, float]


def read_layers() -> list[list[str]]:
    """Packages of each layer, from the top."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [contract] = [item for item in settings["contracts"] if item["type"] == "layers"]
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def read_imports(packages: list[str]) -> dict[str, set[str]]:
    """The imports of each package, without those that follow from others."""
    graph = grimp.build_graph("nnrun", cache_dir=None)
    for name in packages:
        if graph.find_children(f"nnrun.{name}"):
            graph.squash_module(f"nnrun.{name}")
    modules = {name: f"nnrun.{name}" for name in packages}
    direct = {
        name: {
            other
            for other, imported in modules.items()
            if graph.direct_import_exists(importer=modules[name], imported=imported)
        }
        - {name}
        for name in packages
    }
    indirect: dict[str, set[str]] = {}
    for name in TopologicalSorter(direct).static_order():
        indirect[name] = direct[name].union(*(indirect[other] for other in direct[name]))
    return {
        name: {o for o in others if not any(o in indirect[third] for third in others - {o})}
        for name, others in direct.items()
    }


def join_rows(layers: list[list[str]], direct: dict[str, set[str]]) -> list[list[str]]:
    """The layers, joined with the one above where neither imports the other."""
    joined: list[list[str]] = [[]]
    for layer in layers:
        if any(direct[name] & set(layer) for name in joined[-1]):
            joined.append([])
        joined[-1] += layer
    return joined


class Drawing:
    """Boxes in rows, and arrows that pass between boxes."""

    def __init__(self, packages: list[list[str]], arrows: dict[str, set[str]]) -> None:
        self.width = max(map(len, packages)) * (WIDTH + GAP_X) - GAP_X + 2 * MARGIN
        self.height = len(packages) * (HEIGHT + GAP_Y) - GAP_Y + MARGIN
        self.rows = packages
        self.row = {name: at for at, names in enumerate(packages) for name in names}
        self.center: dict[str, float] = {}
        for names in packages:
            left = (self.width - len(names) * (WIDTH + GAP_X) + GAP_X + WIDTH) / 2
            self.center |= {n: left + at * (WIDTH + GAP_X) for at, n in enumerate(names)}
        self.passing: Counter[tuple[int, float]] = Counter()
        self.arrows = [(name, other) for name in arrows for other in sorted(arrows[name])]

    def svg(self) -> str:
        """The drawing."""
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}"',
            'font-family="sans-serif" font-size="17">',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8"',
            'markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
            f'<rect width="{self.width:g}" height="{self.height:g}" fill="white"/>',
        ]
        parts += [self._arrow(name, other) for name, other in self.arrows]
        parts += [self._box(name) for name in self.row]
        return "\n".join([*parts, "</svg>", ""])

    def _top(self, row: int) -> float:
        return MARGIN / 2 + row * (HEIGHT + GAP_Y)

    def _box(self, name: str) -> str:
        x, y = self.center[name], self._top(self.row[name])
        return (
            f'<rect x="{x - WIDTH / 2:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
            'fill="#EAF2F8" stroke="#5B7C99"/>'
            f'<text x="{x:g}" y="{y + 24:g}" text-anchor="middle">{name}</text>'
        )

    def _arrow(self, name: str, other: str) -> str:
        """Leaves the bottom of a box and ends at the top of another, around those in between."""
        x, y = self._port(name, other, leaves=True), self._top(self.row[name]) + HEIGHT
        end = self._port(other, name, leaves=False), self._top(self.row[other]) - 1
        path = f"M{x:g} {y:g}"
        for row in range(self.row[name] + 1, self.row[other]):
            gap = self._gap(row, (x + end[0]) / 2)
            path += _curve((x, y), (gap, self._top(row))) + f" V{self._top(row) + HEIGHT:g}"
            x, y = gap, self._top(row) + HEIGHT
        path += _curve((x, y), end)
        return f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#tip)"/>'

    def _port(self, name: str, other: str, *, leaves: bool) -> float:
        """Arrows at one side of a box are spread in the order of their other ends."""
        ends = [b if leaves else a for a, b in self.arrows if (a if leaves else b) == name]
        ends.sort(key=lambda end: (self.center[end], end))
        return self.center[name] + 30 * (ends.index(other) - (len(ends) - 1) / 2)

    def _gap(self, row: int, x: float) -> float:
        """The place between, or beside, the boxes of a row that is closest to x."""
        centers = [self.center[name] for name in self.rows[row]]
        half = (WIDTH + GAP_X) / 2
        gaps = [centers[0] - half, *(center + half for center in centers)]
        nearest = min(gaps, key=lambda gap: (abs(gap - x), gap))
        self.passing[row, nearest] += 1  # arrows through one gap lie side by side
        return nearest + 10 * (self.passing[row, nearest] - 2)


def _curve(start: Point, end: Point) -> str:
    middle = (start[1] + end[1]) / 2
    return f" C{start[0]:g} {middle:g} {end[0]:g} {middle:g} {end[0]:g} {end[1]:g}"


def draw() -> str:
    """The picture as SVG."""
    layers = read_layers()
    imports = read_imports([name for layer in layers for name in layer])
    return Drawing(join_rows(layers, imports), imports).svg()


if __name__ == "__main__":
    if "--check" in sys.argv:
        outdated = PICTURE.read_text(encoding="utf-8") != draw()
        sys.exit(f"{PICTURE.name} is out of date: run `make docs`" if outdated else 0)
    PICTURE.write_text(draw(), encoding="utf-8")
