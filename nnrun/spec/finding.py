"""Something wrong with a spec, before it is known where in which file it stands."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nnrun.errors import Fault, Place
from nnrun.spec.tree import Node, Path, dotted

USED = "; the block "
"""With which a message begins to say where the blocks are used that the fault is in."""


@dataclass(frozen=True)
class Finding:
    """One thing wrong.

    Args:
        path: what is meant, as shown to the person.
        at: where to look, if not at `path`.
        key: look at the key, not at the value.
        meant: keys that this one was most likely meant for, so that they are not missing too.
    """

    code: str
    path: Path
    message: str
    suggestion: str | None = None
    at: Path | None = None
    key: bool = False
    meant: tuple[Path, ...] = ()

    def fault(self, root: Node) -> Fault:
        """The fault, with its place in the file that was read."""
        at = self.path if self.at is None else self.at
        place = root.locate(at, key=self.key)
        if not at:
            # What the whole spec lacks stands in no line of it.
            place = replace(place, length=1, text="")
        message = self.message + _used(root, at, place)
        return Fault(self.code, dotted(self.path), message, place, self.suggestion)


def _used(root: Node, at: Path, place: Place) -> str:
    """Where the blocks are used in which a path leads, unless its place is that of the use."""
    nodes = list(root.along(at))
    said = []
    for node, key in zip(nodes[1:], at, strict=False):
        use, name = node.key, node.child("block")
        if key != "Block" or use is None or name is None:
            continue
        if (use.source, use.line) != (place.source, place.line):
            said.append(f"{USED}{name.value} is used in line {use.line}")
    return "".join(said)
