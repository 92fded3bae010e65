"""Run folders: the plain files that are the truth about every run."""

from nnrun.runs.folder import Run, create, create_part, find, process
from nnrun.runs.removal import is_at_work, leftovers, removable, remove, remove_leftover, size

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
]
