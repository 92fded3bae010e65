"""Names and meanings of all files in a run folder."""

from __future__ import annotations

from nnrun.spec.code import FOLDER

RUN = "run.json"
SPEC = "spec.yaml"
HISTORY = "history.json"
JOURNAL = "history.csv"
METRICS = "metrics.json"
PREPARATION = "prepare.json"
WORDS = "words.json"
PREDICTIONS = "predictions.npz"
CONFUSION = "confusion.csv"
REPORT = "classification_report.json"
VALUES = "values.json"
MODEL = "model.keras"
SUMMARY = "summary.txt"
LOG = "log.txt"
PLOTS = "plots"
CHECKPOINT = "checkpoint"
FOLDS = "folds.csv"
FINAL = "final"
CODE = FOLDER

MEANING = {
    RUN: "status, command, times, seed, overrides, versions, commit, device, data digest, parameters",
    SPEC: "the spec with all defaults; the same command repeats the run with it",
    HISTORY: "the history: one value per epoch for each metric",
    JOURNAL: "the history as a table, written after each epoch",
    METRICS: "last and best epoch; training, validation and test metrics, those of a naive forecast of windows; times",
    PREPARATION: "prepare steps as fitted to the training rows; input shape and classes",
    PREDICTIONS: "predictions: `row`, `target`, `output` (probabilities or values)",
    CONFUSION: "confusion matrix: rows are true classes, columns predicted classes; or counts per label",
    REPORT: "precision, recall and F1 of each class or label",
    MODEL: "the trained model in Keras format; loading it runs no code but that of `code/`",
    SUMMARY: "layers of the model with shapes and parameters",
    LOG: "all output of the command, with messages of TensorFlow",
    PLOTS: "a curve per metric, confusion matrix, examples, the graph of the model",
}

MEANING_OF_FOLDS = {
    FOLDS: "k-fold runs: status, rows, epochs and metrics of each fold",
    "fold-*": "k-fold runs: a run folder per fold, with predictions for its validation rows",
    FINAL: "k-fold runs: the run on all training rows, with `--final`",
}
"""More files of a k-fold run; its other files summarize all folds."""

MEANING_OF_TEXTS = {
    WORDS: "text data: the index of each word, for `nnrun predict`",
}
"""More files of a run on text."""

MEANING_OF_CODE = {
    CODE: "specs with `code`: the Python files, which run only if they are allowed",
}
"""More files of a run with the user's own code."""

MEANING_OF_VALUES = {
    VALUES: "several values per row: mean absolute error, RMSE and R² of each",
}
"""More files of a run that predicts several values."""

MEANING_OF_UNFINISHED = {
    CHECKPOINT: "unfinished runs: checkpoints for `nnrun resume`",
}
"""More files of a run that is not finished."""

OWN = frozenset(
    (
        *(*MEANING, *MEANING_OF_TEXTS, *MEANING_OF_VALUES, *MEANING_OF_FOLDS, *MEANING_OF_CODE),
        *MEANING_OF_UNFINISHED,
    )
)
"""Names that callbacks may not write to."""

SCHEMA_VERSION = 1

# `crashed` is never written: it is inferred if the process of a running run is gone.
RUNNING = "running"
FINISHED = "finished"
FAILED = "failed"
INTERRUPTED = "interrupted"
CRASHED = "crashed"


def fold(number: int) -> str:
    """The folder of a fold, such as `fold-1`."""
    return f"fold-{number}"


def checkpoint(epochs: int) -> str:
    """The file of a checkpoint, such as `checkpoint/epoch-7.npz`."""
    return f"{CHECKPOINT}/epoch-{epochs}.npz"


def plot(name: str) -> str:
    """The file of a plot, such as `plots/loss.png`."""
    return f"{PLOTS}/{name}.png"


def drawing(name: str) -> str:
    """The SVG file of a plot, such as `plots/model.svg`."""
    return f"{PLOTS}/{name}.svg"
