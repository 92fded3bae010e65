"""How a CSV file is written: the keys of every dataset that reads one."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from nnrun.spec.component import Spec
from nnrun.spec.text import quote

ENDINGS = (".csv", ".tsv", ".txt")
COMPRESSIONS = (".gz", ".bz2", ".xz")
MISSING = frozenset(
    [
        *("", "#N/A N/A", *"#N/A #NA <NA> N/A NA NULL NaN None n/a nan null -NaN -nan".split()),
        *(f"{sign}1.#{name}" for sign in ("", "-") for name in ("IND", "QNAN")),
    ]
)
"""Cells without a value, as pandas knows them."""


def has_csv_name(path: Path) -> bool:
    """Whether a file is named like a CSV file, perhaps a compressed one."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return bool(suffixes) and suffixes[-1] in ENDINGS


def _known_encoding(name: str) -> str:
    try:
        if codecs.lookup(name)._is_text_encoding:
            return name
    except LookupError:
        pass
    raise ValueError(f"{quote(name)} is not an encoding of text, such as utf-8 or cp1252")


class CsvFormat(Spec):
    """How a CSV file is written."""

    separator: Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[\x01-\x7f]$")] = ","
    """Character between cells."""
    decimal: Literal[".", ","] = "."
    """Decimal mark of numbers."""
    thousands: Literal[",", ".", " ", "'"] | None = None
    """Character between groups of three digits."""
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    """Encoding of the file, such as `cp1252`."""
    na_values: tuple[str, ...] = Field((), strict=False)
    """Cells without a value, besides those that pandas knows, such as `NA`."""
    header: bool = True
    """Whether the first row names the columns; otherwise their names are `0`, `1`, …"""

    @property
    def csv_format(self) -> CsvFormat:
        """These keys alone, without those of the dataset that has them."""
        return CsvFormat(**{name: getattr(self, name) for name in CsvFormat.model_fields})
