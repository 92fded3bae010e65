"""Whether the classes that a spec weighs are classes of the data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from nnrun.errors import Misfit
from nnrun.spec.suggest import nearest
from nnrun.spec.training import ClassWeight
from nnrun.spec.words import listed, shown

_PATH = ("training", "class_weight")
# So many names are told; more nobody reads.
_SOME = 6


def misfits(weight: ClassWeight | None, classes: Sequence[Any]) -> Iterator[Misfit]:
    """What does not go together with the classes.

    Args:
        weight: as in the spec.
        classes: their names; or their numbers, where the data are not read yet and have names
            that nobody knows; none for a regression.
    """
    if weight is None:
        return
    if not classes:
        message = "weighs classes, but the labels are values"
        yield Misfit("NN122", _PATH, message)
        return
    if weight == "balanced":
        return
    unread = isinstance(classes, range)
    for name in weight:
        # Of rows that are not read yet nobody knows what their classes are called.
        if unread and not name.isdecimal():
            continue
        if number(name, classes) is None:
            yield Misfit("NN122", _PATH, _unknown(name, classes))


def number(name: str, classes: Sequence[Any]) -> int | None:
    """Which class a name, or a number, stands for; None where there is no such class."""
    if name in classes:
        return classes.index(name)
    number = int(name) if name.isdecimal() else -1
    return number if 0 <= number < len(classes) else None


def _unknown(name: str, classes: Sequence[Any]) -> str:
    named = [str(each) for each in classes]
    if name.isdecimal():
        return f"there is no class {name}; they are numbered from 0 to {len(classes) - 1}"
    guess = nearest(name, named)
    some = listed([shown(each) for each in named[:_SOME]], "and")
    more = f" and {len(named) - _SOME} more" if len(named) > _SOME else ""
    hint = f"; did you mean {shown(guess)}?" if guess else f"; there are {some}{more}"
    return f"there is no class {shown(name)}{hint}"
