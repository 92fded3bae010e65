"""Errors that no single value shows are found before any row is read, and without Keras."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun import check
from nnrun.errors import SpecError
from nnrun.spec import files

SPEC = """\
dataset: {name: digits, prepare: [{rescale: 16}, flatten]}
model:
  - Dense: {units: 64, activation: relu}
  - Dense: {units: 10, activation: softmax}
training:
  optimizer: adam
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  epochs: 20
validation: {holdout: {size: 0.2}}
"""
IMDB = """\
dataset: {name: imdb, num_words: 1000, prepare: [multi_hot: 1000]}
model: [Dense: {units: 1, activation: sigmoid}]
training: {optimizer: adam, loss: binary_crossentropy, epochs: 2}
validation: {holdout: {size: 10000, take: first}}
"""
PADDED = """\
dataset: {name: imdb, num_words: 1000, prepare: [pad: 20]}
model: [Embedding: {input_dim: 1000, output_dim: 8}, Flatten, Dense: {units: 1, activation: sigmoid}]
training: {optimizer: adam, loss: binary_crossentropy, epochs: 2}
validation: {holdout: {size: 10000, take: first}}
"""


CODES = """\
dataset: {name: csv, path: d.csv, target: price, features: [city, age], categories: codes}
model: [Embedding: {input_dim: 9, output_dim: 4}, Flatten, Dense: 1]
training: {optimizer: adam, loss: mse, epochs: 2}
validation: {holdout: {size: 0.2}}
"""
PIECES = (
    "Branches: {paths: [[Reshape: [2, 1], Cropping1D: [0, 1], Flatten, Embedding: {input_dim: 9, "
    "output_dim: 4}, Flatten], [Reshape: [2, 1], Cropping1D: [1, 0], Flatten]]}"
)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("codes}", "codes, types: {age: drop}, prepare: [standardize]}", "dataset.prepare[0]: "
         "standardize changes the codes that the Embedding in model[0] looks up; leave it out"),
        ("codes}", "codes, types: {age: drop}, prepare: [rescale: 5]}", "dataset.prepare[0]: rescale "
         "changes the codes that the Embedding in model[0] looks up; leave it out"),
        ("[Embed", "[Flatten, Embed", "model[1]: the Embedding looks up codes, and column 'age' holds "
         "numbers: leave it out of features, or write types: {age: category}, or number to look it "
         "up as it is"),
        ("codes}", "codes, types: {age: drop}}", None),
        ("codes}", "codes, types: {age: number}}", None),
        ("city, age]", "city]", None),
        ("city, age], categories: codes", "city, age, size], categories: codes, types: {age: number, "
         "size: number}", None),
        ("Embedding: {input_dim: 9, output_dim: 4}", PIECES, None),
        ("Embedding: {input_dim: 9, output_dim: 4}, Flatten", "Dense: {units: 8, activation: relu}", None),
    ],
)  # fmt: skip
def test_an_embedding_gets_codes_only(old, new, expected, faults, tmp_path):
    """Rounded, standardized codes make most categories the same; NN204 must not advise it."""
    rows = "".join(f"{'abc'[i % 3]},{i % 50},{i % 9 * 1000},{i % 7}\n" for i in range(60))
    (tmp_path / "d.csv").write_text(f"city,age,size,price\n{rows}")
    found = faults(CODES.replace(old, new))

    assert [f"{fault.code} {fault.path}: {fault.message}" for fault in found] == (
        [f"NN123 {expected}"] if expected else []
    )


@pytest.mark.parametrize(("highest", "codes"), [("1", []), ("1.5", ["NN216"])])
def test_a_sigmoid_may_predict_shares(highest, codes, faults, tmp_path):
    (tmp_path / "d.csv").write_text(f"a,y\n2.5,{highest}\n" + "1.5,0\n2.5,0.5\n" * 20)
    found = faults(
        "dataset: {name: csv, path: d.csv, target: y}\n"
        "model: [Dense: {units: 1, activation: sigmoid}]\n"
        "training: {optimizer: adam, loss: mse, epochs: 2, batch_size: 8}\n"
        "validation: {holdout: {size: 0.2}}\n"
    )

    assert [fault.code for fault in found] == codes


@pytest.mark.parametrize(
    ("task", "hint"),
    [("", "write task: classification in dataset, or "), (", task: regression", "")],
)
def test_a_target_of_0_and_1_may_be_classes(task, hint, faults, tmp_path):
    (tmp_path / "d.csv").write_text("a,y\n" + "1.5,0\n2.5,1\n" * 20)
    [fault] = faults(
        f"dataset: {{name: csv, path: d.csv, target: y{task}}}\n"
        "model: [Dense: {units: 1, activation: sigmoid}]\n"
        "training: {optimizer: adam, loss: binary_crossentropy, epochs: 2}\n"
    )

    assert fault.message == (
        f"binary_crossentropy needs classes, but csv has a number per row (y); {hint}use a loss such "
        "as mse"
    )


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        (SPEC, "units: 10", "units: 11", "NN121 model[1]: the model has 11 outputs, but digits has 10 "
         "classes: units must be 10"),
        (SPEC, ", flatten", "", "NN121 model[1]: the output has shape (8, 10) per row, but a "
         "label is one number; a Flatten or pooling layer may be missing"),
        (SPEC, "units: 64", "units: 64}\n  - Conv2D: {filters: 3, kernel_size: 3", "NN124 model[1]: "
         "Conv2D cannot follow an output of shape (64,): it takes rows of shape (height, width, "
         "channels)"),
        (SPEC, "sparse_categorical_crossentropy", "{CategoricalCrossentropy: {from_logits: true}}",
         "NN122 training.loss: CategoricalCrossentropy takes logits, but the model outputs "
         "probabilities: remove either from_logits or the last activation"),
        (SPEC, "digits", "diabetes", "NN122 training.loss: sparse_categorical_crossentropy needs "
         "classes, but diabetes has a number per row (disease progression after one year); use a "
         "loss such as mse"),
        (SPEC, "[accuracy]", "[CategoricalAccuracy]", "NN125 training.metrics[0]: "
         "CategoricalAccuracy needs one column per class; with sparse_categorical_crossentropy the "
         "labels are class numbers"),
        (SPEC, "size: 0.2", "size: 1437", "NN120 validation.holdout.size: must be less than the "
         "1437 training rows, got 1437"),
        (SPEC, "{holdout: {size: 0.2}}", "{kfold: {folds: 1438}}", "NN126 validation.kfold.folds: "
         "must be at most the 1437 training rows, got 1438"),
        (SPEC, "epochs: 20", "epochs: 20\n  callbacks: [EarlyStopping: {monitor: val_acc}]",
         "NN125 training.callbacks[0]: EarlyStopping watches 'val_acc', but the history will hold "
         "only loss, accuracy, val_loss, val_accuracy"),
        (SPEC, "epochs: 20", "epochs: 20\n  callbacks: [CSVLogger: history.csv]",
         "NN116 training.callbacks[0].CSVLogger.filename: nnrun itself writes 'history.csv' into "
         "the run folder; take another name"),
        (SPEC, "validation:", "expect: {test_acuracy: '>= 0.9'}\nvalidation:",
         "NN119 expect.test_acuracy: no run reports 'test_acuracy'; there is test_loss, "
         "test_accuracy, val_loss, val_accuracy, loss, accuracy, seconds and epochs, and more"),
        (SPEC, "flatten", "{multi_hot: 10}", "NN123 dataset.prepare[1]: multi_hot takes rows of "
         "word indices and must be the first step"),
        (SPEC, "name: digits", "name: digits, test_split: 0.001", "NN120 dataset.test_split: 0.001 "
         "leaves 2 rows to test on for 10 classes"),
        (SPEC, "{size: 0.2}", "{size: 3, stratify: true}", "NN120 validation.holdout.stratify: cannot "
         "keep the proportions of 10 classes in 3 rows"),
        (SPEC, "epochs: 20", "epochs: 20\n  callbacks: [TensorBoard: {log_dir: ./}]",
         "NN116 training.callbacks[0].TensorBoard.log_dir: is the run folder itself; take a name "
         "inside it"),
        (SPEC, "epochs: 20", "epochs: 20\n  callbacks: [ModelCheckpoint: best.h5]",
         "NN114 training.callbacks[0].ModelCheckpoint.filepath: must end in '.keras', got 'best.h5'"),
        (SPEC, "epochs: 20", "epochs: 20\n  callbacks: [SwapEMAWeights]", "NN114 "
         "training.callbacks[0]: SwapEMAWeights needs an optimizer with use_ema: true"),
        (SPEC, "adam\n", "{SGD: {learning_rate: {ExponentialDecay: {initial_learning_rate: 0.1, "
         "decay_steps: 9, decay_rate: 0.9}}}}\n  callbacks: [ReduceLROnPlateau]\n", "NN114 "
         "training.callbacks[0]: ReduceLROnPlateau cannot set the learning rate: the optimizer has a "
         "schedule"),
        (SPEC, "adam", "{Adam: {clipnorm: 1.0, clipvalue: 1.0}}", "NN114 "
         "training.optimizer.Adam.clipvalue: clipnorm and clipvalue exclude each other; leave one"),
        (SPEC, "units: 64,", "units: 64}\n  - Dropout: {rate: 0.5, name: x}\n  - Dense: {name: x, "
         "units: 8,", "NN124 model[2].Dense.name: the name 'x' is taken by model[1]"),
        (SPEC, "units: 64,", "units: 64}\n  - Concatenate\n  - Dense: {units: 8,",
         "NN124 model[1]: Concatenate takes several inputs; write Branches: {paths: […], merge: "
         "concatenate}"),
        (IMDB, "multi_hot: 1000", "multi_hot: 999", "NN123 dataset.prepare[0]: multi_hot is 999, "
         "but word indices go up to 999; raise it, or set dataset.num_words"),
        (IMDB, "[multi_hot: 1000]", "[]", "NN123 dataset.prepare: the rows differ in length; "
         "prepare must begin with multi_hot, pad or vectorize"),
        (PADDED, "input_dim: 1000", "input_dim: 999", "NN123 model[0]: input_dim is 999, "
         "but word indices go up to 999; raise it, or set dataset.num_words"),
    ],
)  # fmt: skip
def test_an_error_is_reported_with_its_place(text, old, new, expected, faults):
    assert old in text

    [fault] = faults(text.replace(old, new))

    assert f"{fault.code} {fault.path}: {fault.message}" == expected
    assert fault.place is not None
    assert not fault.is_warning


@pytest.mark.parametrize("text", [SPEC, IMDB, PADDED])
def test_a_valid_spec_has_no_faults(text, faults):
    assert faults(text) == []


def test_all_errors_are_reported_in_the_order_of_the_file(faults):
    text = SPEC.replace("units: 10", "units: 9").replace("[accuracy]", "[CategoricalAccuracy]")
    found = faults(text.replace("size: 0.2", "size: 5000"))

    assert [fault.code for fault in found] == ["NN121", "NN125", "NN120"]


def test_reading_raises_for_errors_but_not_for_warnings(tmp_path: Path):
    """`train` and `kfold` read a spec in this way, and show the same errors as `check`."""
    path = tmp_path / "x.yaml"
    path.write_text(SPEC.replace("{rescale: 16}, ", ""))

    assert check.read(path).experiment.name == "x"

    path.write_text(SPEC.replace("units: 10", "units: 9"))

    with pytest.raises(SpecError) as caught:
        check.read(path)

    assert [fault.code for fault in caught.value.faults] == ["NN121"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PADDED.replace("pad: 20", "pad: 500000000"),
         "25,000 rows of shape (500000000,): needs about 50.1 TB of memory, and there are 8.0 GB"),
        (IMDB.replace("hot: 1000", "hot: 900000000"),
         "25,000 rows of shape (900000000,): needs about 230.4 GB of memory, and there are 8.0 GB"),
    ],
)  # fmt: skip
def test_rows_beyond_the_memory_are_refused_with_the_estimate(
    text, expected, faults, monkeypatch: pytest.MonkeyPatch
):
    """Training would take the memory of all programs first."""
    monkeypatch.setattr(files, "memory", lambda: 8_000_000_000)

    [fault] = faults(text)

    assert (fault.code, fault.path, fault.message) == ("NN123", "dataset.prepare", expected)
