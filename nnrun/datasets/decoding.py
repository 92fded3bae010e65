"""Texts in words again."""

from __future__ import annotations

from collections.abc import Mapping

from nnrun.records import Array, Dataset, Sequences


def decoded(dataset: Dataset, x: Sequences, rows: Array) -> list[str]:
    """Some texts, in words; a number stays one where no word is known for it."""
    words: Mapping[int, str] = dataset.vocabulary() if dataset.vocabulary else {}
    return [" ".join(words.get(int(index), str(index)) for index in x.row(row)) for row in rows]
