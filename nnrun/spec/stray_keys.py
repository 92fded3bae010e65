"""Keys where none of that name can stand: misspelt, or known in another place."""

from __future__ import annotations

from typing import Any

from nnrun.spec import catalogue, language
from nnrun.spec.finding import Finding
from nnrun.spec.suggest import nearest
from nnrun.spec.tree import Path, dotted
from nnrun.spec.words import listed, offered, shown

Meant = tuple[Path, ...]

# What Keras's `fit` takes, and where a spec has it.
_OF_FIT = {
    "validation_split": "it is the size under validation.holdout",
    "validation_data": "which rows validate is said under validation",
    "initial_epoch": "a run begins with the first epoch",
    "verbose": "progress is shown wherever there is a terminal",
}


def finding(path: Path, loc: tuple[str | int, ...], value: Any) -> Finding:
    """What to do with a key that is not among those allowed.

    Args:
        loc: pydantic's location of the mapping that the key stands in.
        value: what stands under the key.
    """
    if path == ("extends",):
        # Only a file can extend another: an override stands nowhere that a path could be relative to.
        return Finding("NN101", path, "only a file can say what it extends", key=True)
    key, parent = str(path[-1]), path[:-1]
    suggestion, meant = None, _held(parent, value)
    if meant:
        names = listed([dotted(each) for each in meant], "and")
        advice = f"; take {names} out of it, to the top level"
    elif not _is_file(key, parent) and (suggestion := nearest(key, language.keys(loc))):
        advice, meant = _foreign(key), ((*parent, suggestion),)
    else:
        advice, meant = _elsewhere(key, parent) or (_here(key, parent, loc), ())
    message = f"unknown key {shown(key)}{advice}"
    return Finding("NN101", path, message, suggestion, key=True, meant=meant)


def _held(parent: Path, value: Any) -> Meant:
    """Keys of the top level that somebody has put into a section of their own."""
    if parent or not isinstance(value, dict):
        return ()
    held = [key for key in value if () in language.homes(key)]
    return tuple((key,) for key in held) if "dataset" in held or "model" in held else ()


def _foreign(key: str) -> str:
    """Names a letter of another alphabet: one that looks like one of ours cannot be seen."""
    letter = next((letter for letter in key if not letter.isascii()), None)
    return f", in which {letter!r} is the letter U+{ord(letter):04X}" if letter else ""


def _is_file(key: str, parent: Path) -> bool:
    """Whether somebody writes `csv: data.csv` in a data set."""
    return parent == ("dataset",) and key in language.FILES


def _elsewhere(key: str, parent: Path) -> tuple[str, Meant] | None:
    """Where the key belongs, if it is one."""
    if parent == ("dataset",):
        if key in language.data_sets():
            return f"; write 'name: {key}', and its arguments below", (("dataset", "name"),)
        if _is_file(key, parent):
            return f"; write 'name: {language.FILES[key]}', and where the file is as 'path'", ()
        return None
    if "prepare" in parent:
        return None
    if homes := language.homes(key):
        places = listed([language.where(home) for home in homes], "or")
        return f"; it belongs {places}", tuple((*home, key) for home in homes)
    if parent == ("training",) and key in _OF_FIT:
        return f"; {_OF_FIT[key]}", ()
    if parent == ("training",) and key in catalogue.arguments("optimizers", "SGD"):
        return f"; it is an argument of the optimizer, as in 'SGD: {{{key}: …}}'", ()
    return None


def _here(key: str, parent: Path, loc: tuple[str | int, ...]) -> str:
    """The keys that can stand here."""
    allowed = language.keys(loc)
    if not allowed:
        return "; nothing can be set here"
    # Data sets and steps are named in the location, but not in the path.
    part = str(loc[-1]) if "dataset" in parent else dotted(parent)
    return f"; the keys here are {offered(key, allowed, part)}"
