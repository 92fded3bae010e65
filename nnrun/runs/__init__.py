"""Run folders: the plain files that are the truth about every run."""

from nnrun.runs.making import create, create_part, find, taken
from nnrun.runs.removal import is_at_work, leftovers, removable, remove, remove_leftover, size
from nnrun.runs.run import Run, process

__all__ = [
    "Run",
    "create",
    "create_part",
    "find",
    "is_at_work",
    "leftovers",
    "process",
    "removable",
    "remove",
    "remove_leftover",
    "size",
    "taken",
]
