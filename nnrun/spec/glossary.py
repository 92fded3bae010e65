"""What a word of the spec language means: a part, a key, a data set, a step or a Keras name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from nnrun.errors import CommandError
from nnrun.spec import catalogue, keys
from nnrun.spec.arguments import TYPES
from nnrun.spec.catalogue import Argument
from nnrun.spec.components import NOUNS
from nnrun.spec.composites import STACKS
from nnrun.spec.keys import Key, Section
from nnrun.spec.suggest import nearest
from nnrun.spec.words import listed

GROUPS: dict[str, Callable[[], tuple[Section, ...]]] = {
    "spec": keys.parts,
    "steps": keys.steps,
    "prepare": keys.steps,
    "datasets": keys.datasets,
    "dataset": keys.datasets,
}
# What an argument may be that names something of Keras's.
_VALUES = {
    **NOUNS,
    "file": "file of the run",
    "schedules": "number or learning rate schedule",
    STACKS: "list of stacks of layers",
}


def everything() -> tuple[Section, ...]:
    """All but the names of Keras: the parts of a spec, the steps, the data sets."""
    return (*keys.parts(), *keys.steps(), *keys.datasets())


def look_up(word: str) -> tuple[Section, ...]:
    """All that a word means.

    Args:
        word: a group such as `steps`, a kind such as `layers`, a part such as `training`, or the
            name of a key, a data set, a step or something of Keras's.

    Raises:
        CommandError: it means nothing; with the nearest word that means something.
    """
    if word in GROUPS:
        return GROUPS[word]()
    if word in NOUNS:
        return (of_kind(word),)
    found = _part(word) or (*_named(word), *_keras(word), *_single(word))
    if not found:
        near = nearest(word, _words())
        hint = f"did you mean '{near}'?" if near else f"there are {listed(_openings(), 'and')}"
        raise CommandError(f"there is no key or name '{word}'; {hint}")
    return found


def of_kind(kind: str) -> Section:
    """The names of a kind of Keras's, with a sentence each.

    Args:
        kind: such as `layers`; one of `NOUNS`.
    """
    others: dict[str, list[str]] = {}
    for word in catalogue.names(kind):
        others.setdefault(catalogue.meaning(kind, word), []).append(word)
    listing = tuple(Key(name, _sentence(kind, name, words)) for name, words in others.items())
    return Section(kind, f"What a {NOUNS[kind]} may be called.", listing)


def _sentence(kind: str, name: str, words: list[str]) -> str:
    entry = catalogue.entry(kind, name)
    sentence = entry.doc if entry else "Chosen by the labels."
    also = [f"`{word}`" for word in words if word != name]
    return f"{sentence} Also {listed(also, 'or')}." if also else sentence


def _part(word: str) -> tuple[Section, ...]:
    """A part of the spec with those below it, by its path or by the end of it."""
    whole = next(
        (part.title for part in keys.parts() if word in (part.title, part.title.split(".")[-1])), ""
    )
    return tuple(
        part for part in keys.parts() if whole and f"{part.title}.".startswith(f"{whole}.")
    )


def _named(word: str) -> Iterator[Section]:
    return (section for section in (*keys.steps(), *keys.datasets()) if section.title == word)


def _single(word: str) -> Iterator[Section]:
    """Sections cut down to the key of that name, such as `epochs` or `training.epochs`."""
    for section in everything():
        for key in section.keys:
            if word in (key.name, f"{section.title}.{key.name}"):
                yield replace(section, keys=(key,))


def _keras(word: str) -> Iterator[Section]:
    for kind, noun in NOUNS.items():
        if entry := catalogue.entry(kind, word):
            arguments = tuple(map(_argument, entry.accepted.values()))
            yield Section(entry.name, entry.doc, arguments, noun)


def _argument(argument: Argument) -> Key:
    return Key(
        argument.name,
        argument.doc,
        _value(argument),
        required=argument.required,
        default=argument.default,
    )


def _value(argument: Argument) -> str:
    """What an argument may be, as far as that is known."""
    if argument.kind:
        return _VALUES[argument.kind]
    if argument.choices:
        return listed([f"`{choice}`" for choice in argument.choices], "or")
    return listed(
        [TYPES[each].removeprefix("a ") for each in argument.types if each != "null"], "or"
    )


def _openings() -> list[str]:
    """Words to begin with."""
    return [*GROUPS, *NOUNS, *(part.title for part in keys.parts()[1:])]


def _words() -> Iterator[str]:
    yield from _openings()
    for section in everything():
        yield section.title
        yield from (key.name for key in section.keys)
    for kind in NOUNS:
        yield from catalogue.names(kind)
