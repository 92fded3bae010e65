"""Messages between the process that cross-validates and its workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnrun.experiment.inputs import RawData
from nnrun.models.structure import Structure
from nnrun.spec.experiment import Experiment
from nnrun.types import Fold


@dataclass(frozen=True)
class Job:
    """A part of a cross-validation to train; `part` is its folder, such as `fold-1`."""

    part: str
    fold: Fold
    spec: Experiment


@dataclass(frozen=True)
class Started:
    """From a worker: it waits for its input."""


@dataclass(frozen=True)
class WorkerInput:
    """To a worker, once.

    Args:
        raw: the rows that all jobs share.
        first: a job whose model is built at once, but not trained yet.
        number: of the worker, which selects its GPU.
    """

    raw: RawData
    first: Job
    overrides: tuple[str, ...]
    number: int


@dataclass(frozen=True)
class ModelReady:
    """From a worker: the model of its first job is built."""

    engine: str
    device: str
    parameters: int
    summary: str
    structure: Structure
    gpus: int


@dataclass(frozen=True)
class BuildFailed:
    """From a worker: the model cannot be built."""

    error: Exception


@dataclass(frozen=True)
class RunJob:
    """To a worker: train a part, in the folder of the whole run."""

    job: Job
    whole: Path


@dataclass(frozen=True)
class TestFolds:
    """To a worker: test the mean output of all folds, which are trained."""

    whole: Path


@dataclass(frozen=True)
class FoldsTested:
    """From a worker: the metrics on the test rows, as `""`, and on each of several test sets.

    `error` tells why there are none.
    """

    metrics: Mapping[str, Mapping[str, float]]
    error: str | None = None


@dataclass(frozen=True)
class ObserverCall:
    """From a worker: a method of its `Observer` was called."""

    method: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class JobDone:
    """From a worker: the job has ended; `error` tells why it failed."""

    error: str | None
