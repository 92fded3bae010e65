"""The name and the meaning of everything in a run folder; named here and nowhere else."""

from __future__ import annotations

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
MODEL = "model.keras"
SUMMARY = "summary.txt"
LOG = "log.txt"
PLOTS = "plots"
CHECKPOINT = "checkpoint"
FOLDS = "folds.csv"
FINAL = "final"

MEANING = {
    RUN: "status, verb, times, seed, overrides, versions, commit, device, data digest, parameters",
    SPEC: "the spec with every default written out; the same verb on it repeats the run",
    HISTORY: "Keras's metric names, one value per epoch",
    JOURNAL: "the same, a row per epoch, written as each epoch ends",
    METRICS: "last and best epoch; training, validation and test metrics; seconds",
    PREPARATION: "what the prepare steps learnt from the training rows; what rows and classes are",
    PREDICTIONS: "predicted rows: `row`, `target`, `output` (probabilities or values)",
    CONFUSION: "counts over the predicted rows: rows are true classes, columns predicted",
    REPORT: "precision, recall and F1 of each class",
    MODEL: "the trained model as Keras leaves it, safe to load",
    SUMMARY: "the graph of the model; the layers, their shapes and parameters",
    LOG: "what was printed, and TensorFlow's own messages",
    PLOTS: "a curve per metric, confusion matrix, gallery, the graph of the model",
}

MEANING_OF_FOLDS = {
    FOLDS: "of a cross-validation: status, rows, epochs and metrics of each fold",
    "fold-*": "the run of each fold; its predicted rows are those that validate it",
    FINAL: "the run on all training rows, where the spec asks for it",
}
"""What a cross-validation has besides; the other files speak of all its folds together."""

MEANING_OF_TEXTS = {
    WORDS: "of texts: the index of each word, so that `nnrun predict` takes a sentence",
}
"""What a run on texts has besides."""

MEANING_OF_UNFINISHED = {
    CHECKPOINT: "what `nnrun resume` goes on from; gone when the run ends well",
}
"""What a run has while it trains, and when it was stopped."""

OWN = frozenset((*MEANING, *MEANING_OF_TEXTS, *MEANING_OF_FOLDS, *MEANING_OF_UNFINISHED))
"""Names that callbacks may not write to."""

SCHEMA_VERSION = 1

# A run goes from `running` to one of the next three; `crashed` is never written, only inferred.
RUNNING = "running"
FINISHED = "finished"
FAILED = "failed"
INTERRUPTED = "interrupted"
CRASHED = "crashed"


def fold(number: int) -> str:
    """The folder of a fold, such as `fold-1`."""
    return f"fold-{number}"


def checkpoint(epochs: int) -> str:
    """The file of what is kept after an epoch, such as `checkpoint/epoch-7.npz`."""
    return f"{CHECKPOINT}/epoch-{epochs}.npz"


def plot(name: str) -> str:
    """The file of a plot, such as `plots/loss.png`."""
    return f"{PLOTS}/{name}.png"


def drawing(name: str) -> str:
    """The file of a plot that can be enlarged at will, such as `plots/model.svg`."""
    return f"{PLOTS}/{name}.svg"
