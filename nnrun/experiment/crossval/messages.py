"""What the process that cross-validates and its workers say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnrun.experiment.inputs import RawData
from nnrun.models.structure import Structure
from nnrun.spec.experiment import Experiment
from nnrun.types import Fold


@dataclass(frozen=True)
class Job:
    """One run to be made.

    Args:
        part: its folder in that of the whole, such as `fold-1`.
        fold: its rows.
        spec: its experiment.
    """

    part: str
    fold: Fold
    spec: Experiment


@dataclass(frozen=True)
class Up:
    """A worker listens; the first that it says."""


@dataclass(frozen=True)
class Brief:
    """The first that a worker is told.

    Args:
        raw: what all jobs share.
        first: a job, to be made ready and not yet begun.
        overrides: as given with `--set`.
        number: the worker's, by which GPUs are dealt out.
    """

    raw: RawData
    first: Job
    overrides: tuple[str, ...]
    number: int


@dataclass(frozen=True)
class Begin:
    """Do a job, in the folder of the whole run."""

    job: Job
    whole: Path


@dataclass(frozen=True)
class Ready:
    """A worker has built the model of its first job.

    Args:
        gpus: how many it sees.
    """

    engine: str
    device: str
    parameters: int
    summary: str
    structure: Structure
    gpus: int


@dataclass(frozen=True)
class Refused:
    """A worker cannot build the model."""

    error: Exception


@dataclass(frozen=True)
class Event:
    """A method of `Observer` was called in a worker."""

    method: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Done:
    """A job is over.

    Args:
        error: why it failed, if it did.
    """

    error: str | None
