"""Sentences as word indices, as those of the data set are encoded."""

from __future__ import annotations

from collections.abc import Sequence

from nnrun import tokens
from nnrun.errors import CommandError
from nnrun.prediction.raw import Raw
from nnrun.prediction.subject import Subject
from nnrun.records import Vocabulary


def read(texts: Sequence[str], subject: Subject) -> Raw:
    """Texts to be predicted.

    Raises:
        CommandError: the run does not take texts, or there is none.
        RunError: its words cannot be read.
    """
    if subject.looks.kind != "texts":
        raise CommandError(f"{subject.run.path} was trained on {subject.name}, which has no texts")
    if not texts:
        raise CommandError("there is no text to be predicted")
    known = subject.vocabulary()
    strange = [at for at, text in enumerate(texts, 1) if not _is_known(text, known)]
    return Raw(
        tuple(map(str, range(1, len(texts) + 1))),
        tokens.encode(texts, known),
        texts=tuple(texts),
        notices=tuple(_strange(strange)),
    )


def _is_known(text: str, known: Vocabulary) -> bool:
    return any(word in known.words for word in tokens.TOKENIZERS[known.tokenizer](text))


def _strange(rows: list[int]) -> list[str]:
    """What is said of texts without any word that the model knows."""
    if not rows:
        return []
    which = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
    subject = f"text {which} has" if len(rows) == 1 else f"the texts {which} have"
    return [f"{subject} no word that the model knows, so the answer says nothing"]
