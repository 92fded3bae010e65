"""Run folders: plain files, from which everything about a run is read.

A file that is damaged, or cannot be read or written, is a RunError; a folder without `run.json` is
a NotARun.
"""

from nnrun.runs.making import create, create_part, find, reopen
from nnrun.runs.run import Run, process

__all__ = ["Run", "create", "create_part", "find", "process", "reopen"]
