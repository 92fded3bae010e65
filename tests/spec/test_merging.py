"""`extends` and `--set` merge specs, and faults keep their places."""

import pytest

from nnrun.errors import SpecError
from nnrun.spec.loading import load
from nnrun.spec.rendering import render

BASE = """\
dataset: {name: imdb, num_words: 10000, prepare: [multi_hot: 10000]}
model:
  - Dense: 16
  - Dense: {units: 1, activation: sigmoid}
training:
  optimizer: {Adam: {learning_rate: 0.01, beta_1: 0.8}}
  loss: binary_crossentropy
  metrics: [acc]
  epochs: 20
"""
DECAY = "{ExponentialDecay: {initial_learning_rate: 0.1, decay_steps: 10, decay_rate: 0.5}}"
COSINE = "{CosineDecay: {initial_learning_rate: 0.1, decay_steps: 10}}"


@pytest.fixture
def write(tmp_path):
    """Writes a spec beside `base.yaml` and returns its path."""

    def write(text, name="x.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    write(BASE, "base.yaml")
    return write


def faults(path, *overrides) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(path, overrides=overrides)
    lines = [render(fault).splitlines()[0] for fault in caught.value.faults]
    return [line.replace(f"{path.parent}/", "") for line in lines]


def value_at(experiment, path):
    value = experiment
    for key in path.split("."):
        if key.isdigit():
            value = value[int(key)]
        else:
            value = value[key] if isinstance(value, dict) else getattr(value, key)
    return value


@pytest.mark.parametrize(
    ("over", "path", "value"),
    [
        ("training: {epochs: 3}", "training.epochs", 3),
        ("training: {epochs: 3}", "training.loss.name", "binary_crossentropy"),
        ("model: [Dense: 1]", "model.0.arguments", {"units": 1}),
        ("training: {optimizer: {RMSprop: {rho: 0.8}}}", "training.optimizer.arguments", {"rho": 0.8}),
        ("training: {optimizer: {adam: {beta_1: 0.7}}}", "training.optimizer.arguments", {"learning_rate": 0.01, "beta_1": 0.7}),
        ("dataset: reuters", "dataset.prepare", ()),
        ("dataset: {num_words: 500}", "dataset.prepare.0.dimension", 10000),
    ],
)  # fmt: skip
def test_mappings_merge_and_other_values_are_replaced(write, over, path, value):
    """A different optimizer or data set replaces the previous one."""
    loaded = load(write(f"extends: base.yaml\n{over}\n"))

    assert value_at(loaded.experiment, path) == value


def test_a_different_schedule_replaces_the_previous_one(write):
    rate = "training: {{optimizer: {{Adam: {{learning_rate: {}}}}}}}\n"
    write(f"extends: base.yaml\n{rate.format(DECAY)}", "decay.yaml")
    path = write(f"extends: decay.yaml\n{rate.format(COSINE)}")

    assert load(path).experiment.training.optimizer.arguments["learning_rate"] == {
        "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 10}
    }


def test_extended_files_may_extend_others_in_other_folders(write):
    write("extends: ../base.yaml\nseed: 1\n", "more/middle.yaml")
    path = write("extends: more/middle.yaml\n")

    assert load(path).experiment.seed == 1


def test_a_fault_is_reported_in_its_own_file(write):
    write(BASE.replace("epochs: 20", "epochs: 0"), "base.yaml")
    path = write("extends: base.yaml\nseed: -1\n")

    assert faults(path) == [
        "x.yaml:2:7: NN110 seed: must be at least 0, got -1",
        "base.yaml:9:11: NN110 training.epochs: must be at least 1, got 0",
    ]


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("bsae.yaml", "there is no file '{}/bsae.yaml'; did you mean 'base.yaml'?"),
        ("x.yaml", "'x.yaml' leads back to itself"),
        ("[a]", "must be one file, relative to this one"),
        ("3", "must be one file, relative to this one"),
        ("ä" * 9000, "no file "),
        ('"\\0"', "no file "),
    ],
    ids=lambda text: text[:20],
)
def test_a_file_that_cannot_be_extended_is_reported(write, extends, message):
    path = write(f"seed: 0\nextends: {extends}\n")
    expected = message.format(path.parent).replace(f"{path.parent}/", "")

    assert any(line.startswith(f"x.yaml:2:10: NN008 extends: {expected}") for line in faults(path))


def test_files_that_extend_each_other_are_reported(write):
    write("extends: x.yaml\n", "y.yaml")
    path = write("extends: y.yaml\n")

    assert "y.yaml:1:10: NN008 extends: 'x.yaml' leads back to itself" in faults(path)


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("training.epochs=3", "training.epochs", 3),
        ("training.batch_size=1_000", "training.batch_size", 1000),
        ("seed=null", "seed", None),
        ("description=a=b", "description", "a=b"),
        ("validation.holdout={size: 0.2}", "validation.holdout.size", 0.2),
        ("validation.holdout.size=100", "validation.holdout.size", 100),
        ("dataset=mnist", "dataset.name", "mnist"),
        ("dataset.prepare.0.multi_hot.dimension=5", "dataset.prepare.0.dimension", 5),
        ("dataset.prepare.0.multi_hot=6", "dataset.prepare.0.dimension", 6),
        ("model.0.Dense.units=64", "model.0.arguments.units", 64),
        ("model.0.Dense=64", "model.0.arguments.units", 64),
        ("model.0=Flatten", "model.0.name", "Flatten"),
        ("training.optimizer=sgd", "training.optimizer.name", "sgd"),
        ("training.optimizer.adam.beta_1=0.5", "training.optimizer.arguments.learning_rate", 0.01),
        ("training.optimizer.rmsprop.rho=0.5", "training.optimizer.name", "RMSprop"),
        ("training.metrics.0=mae", "training.metrics.0.name", "mae"),
        ("training.metrics=[]", "training.metrics", ()),
    ],
)
def test_an_override_sets_a_value(write, override, path, value):
    assert value_at(load(write(BASE), overrides=[override]).experiment, path) == value


def test_later_overrides_win(write):
    loaded = load(write(BASE), overrides=["training.epochs=3", "training.epochs=4"])

    assert loaded.experiment.training.epochs == 4
    assert loaded.overrides == ("training.epochs=3", "training.epochs=4")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs", "1:1: NN009: must look like 'training.epochs=3'"),
        ("=3", "1:1: NN009: must look like 'training.epochs=3'"),
        ("a..b=3", "1:1: NN009: must look like 'training.epochs=3'"),
        ("training.epoch=3", "1:10: NN101 training.epoch: unknown key 'epoch'; did you mean 'epochs'?"),
        ("training.epochs=ten", "1:17: NN103 training.epochs: must be a whole number, got 'ten'"),
        ("training.epochs=[1", "1:17: NN009 training.epochs: a list that begins with '[' is not closed, or a ',' is missing"),
        ("training.epochs=!!int 3", "1:17: NN009 training.epochs: tags such as '!!int' are not allowed; remove it"),
        ("training.epochs.x=3", "1:17: NN009 training.epochs: is a single value and has no 'x'"),
        ("model.0.Conv2D.filters=3", "1:9: NN009 model[0]: is 'Dense', not 'Conv2D'; did you mean 'Dense'?"),
        ("model.9.Dense.units=1", "1:7: NN009 model: is a list; its items are numbered 0 to 1, got '9'"),
        ("model.-1.Dense.units=1", "1:7: NN009 model: is a list; its items are numbered 0 to 1, got '-1'"),
        ("model.0.Dense.unit=3", "1:15: NN112 model[0].Dense.unit: Dense has no argument 'unit'; did you mean 'units'?"),
        ("training.metrics=[acc, mapee]", "1:24: NN107 training.metrics[1]: unknown metric 'mapee'; did you mean 'mape'?"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_reported_with_its_place(write, override, message):
    assert faults(write(BASE), override) == [f"--set:{message}"]


def test_faults_of_overrides_come_last(write):
    path = write(BASE.replace("epochs: 20", "epochs: 0"))

    assert [line.split(":")[0] for line in faults(path, "seed=-1", "x")] == ["x.yaml", "--set", "--set"]  # fmt: skip
