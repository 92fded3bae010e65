"""Run folders: the plain files that are the truth about every run."""

from nnrun.runs.making import create, create_part, find, reopen
from nnrun.runs.run import Run, process

__all__ = ["Run", "create", "create_part", "find", "process", "reopen"]
