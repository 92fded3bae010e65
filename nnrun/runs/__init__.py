"""Run folders: the plain files that are the truth about every run."""

from nnrun.runs.folder import Run, create, find

__all__ = ["Run", "create", "find"]
