"""Run folders: the plain files that are the truth about every run."""

from nnrun.runs.folder import Run, create, create_part, find, process

__all__ = ["Run", "create", "create_part", "find", "process"]
