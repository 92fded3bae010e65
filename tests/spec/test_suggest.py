"""The nearest of all names of a kind to a misspelt word."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnrun.spec import catalogue, language
from nnrun.spec.dataset import DATASETS
from nnrun.spec.keras_names import NOUNS
from nnrun.spec.prepare import STEPS
from nnrun.spec.suggest import EDITS, edit_distance, most_similar, nearest

# Every set of names among which a word is looked for.
SETS: dict[str, list[str]] = {
    **{kind: catalogue.names(kind) for kind in NOUNS},
    "data sets": list(DATASETS),
    "steps": list(STEPS),
    "top level": language.key_names(()),
    "training": language.key_names(("training",)),
    "holdout": language.key_names(("validation", "holdout")),
    "kfold": language.key_names(("validation", "kfold")),
    "smooth": language.key_names(("validation", "kfold", "smooth")),
    **{name: language.key_names(("dataset", name)) for name in DATASETS},
    **{
        f"arguments of {name}": list(catalogue.arguments("layers", name))
        for name in ("Conv2D", "LSTM")
    },
    "arguments of Adam": list(catalogue.arguments("optimizers", "Adam")),
}
LETTERS = string.ascii_letters + string.digits + "_"


def folded(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def distance(one: str, other: str) -> int:
    """Optimal string alignment, by the whole table."""
    table = [[max(row, column) for column in range(len(other) + 1)] for row in range(len(one) + 1)]
    for row in range(1, len(one) + 1):
        for column in range(1, len(other) + 1):
            differs = one[row - 1] != other[column - 1]
            table[row][column] = min(
                table[row - 1][column] + 1,
                table[row][column - 1] + 1,
                table[row - 1][column - 1] + differs,
            )
            if row > 1 and column > 1 and one[row - 2 : row] == other[column - 2 : column][::-1]:
                table[row][column] = min(table[row][column], table[row - 2][column - 2] + 1)
    return table[-1][-1]


@st.composite
def slips(draw: st.DrawFn) -> tuple[list[str], str]:
    """A set of names, and one of them with one or two typing errors."""
    names = SETS[draw(st.sampled_from(sorted(SETS)))]
    word = draw(st.sampled_from(names))
    for _ in range(draw(st.integers(1, EDITS))):
        at, letter = draw(st.integers(0, len(word))), draw(st.sampled_from(LETTERS))
        word = draw(
            st.sampled_from((
                word[:at] + letter + word[at:],
                word[:at] + word[at + 1 :],
                word[:at] + letter + word[at + 1 :],
                word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
            ))
        )  # fmt: skip
    return names, word


words = st.text(st.sampled_from("abcA_1"), max_size=7)


@settings(deadline=None)
@given(one=words, other=words)
def test_edits_are_the_optimal_string_alignment(one: str, other: str) -> None:
    number = distance(one, other)

    assert edit_distance(one, other) == (number if number <= EDITS else None)


@settings(deadline=None)
@given(slips())
def test_a_misspelt_word_gets_the_name_with_the_fewest_edits(case: tuple[list[str], str]) -> None:
    names, word = case
    far = {name: distance(folded(word), folded(name)) for name in names}
    within = {
        name: number
        for name, number in far.items()
        if number == 0 or number < min(EDITS + 1, max(len(folded(word)), len(folded(name))))
    }
    best = [name for name, number in within.items() if number == min(within.values())]

    assert not best or nearest(word, names) in best


@pytest.mark.parametrize("names", SETS.values(), ids=SETS)
def test_every_name_is_nearest_to_itself(names: list[str]) -> None:
    assert [nearest(name, [name, *names]) for name in names] == names


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [
        ("earlystopping", "EarlyStopping"),
        ("early_stopping", "EarlyStopping"),
        ("EARLY-STOPPING", "EarlyStopping"),
        ("adamm", "adam"),
        ("adma", "adam"),
        ("Adamm", "Adam"),
        ("mnits", "mnist"),
        ("conv_2d", "Conv2D"),
        ("lr", "learning_rate"),
        ("learn_rate", "learning_rate"),
        ("standardise", "standardize"),
    ],
)
def test_ties_and_guesses(word: str, suggestion: str) -> None:
    names = (
        "adamw adamax adam Adam Nadam EarlyStopping mnist mnist_5k Conv1D Conv2D Conv3D beta_1 "
        "learning_rate standardize accuracy Accuracy"
    )

    assert nearest(word, names.split()) == suggestion


def test_case_decides_between_equal_names() -> None:
    """`accuracy` and `Accuracy` are two metrics."""
    names = ["Accuracy", "accuracy"]

    assert [nearest(word, names) for word in ("acuracy", "Acuracy")] == ["accuracy", "Accuracy"]


@pytest.mark.parametrize("word", ["xy", "q", "", "_", "-"])
def test_a_word_without_common_letters_gets_no_suggestion(word: str) -> None:
    assert nearest(word, ["l1", "l2", "n", "C"]) is None


def test_the_most_similar_names() -> None:
    assert most_similar("MaxPool", catalogue.names("layers"))[:2] == ["MaxPool1D", "MaxPool2D"]


def test_spellings_of_one_word_count_once() -> None:
    assert most_similar("acc", ["Accuracy", "accuracy", "AUC"]) == ["AUC", "Accuracy"]


@pytest.mark.parametrize(
    "word", ["Foo", "BatchNormalisationLayer", "x" * 100_000, "sparse_catagoricel"]
)
def test_a_suggestion_is_instant(word: str) -> None:
    names = catalogue.names("layers")
    seconds = []
    for _ in range(5):
        start = time.process_time()
        nearest(word, names)
        seconds.append(time.process_time() - start)

    assert min(seconds) < 0.02
