"""`extends` and `--set` put one spec on top of another, and places stay true."""

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


@pytest.fixture
def write(tmp_path):
    """Writes a spec beside `base.yaml` and returns its path."""

    def written(text, name="x.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    written(BASE, "base.yaml")
    return written


def faults(path, *overrides) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(path, overrides=overrides)
    lines = [render(fault).splitlines()[0] for fault in caught.value.faults]
    return [line.replace(f"{path.parent}/", "") for line in lines]


def test_mappings_merge_and_the_rest_is_inherited(write):
    path = write("extends: base.yaml\ntraining: {epochs: 3}\n")
    training = load(path).experiment.training

    assert (training.epochs, training.loss.name) == (3, "binary_crossentropy")


def test_lists_replace(write):
    path = write("extends: base.yaml\nmodel: [Dense: 1]\n")

    assert len(load(path).experiment.model) == 1


def test_another_optimizer_replaces_the_one_below(write):
    """Merged, there would be two optimizers in one mapping."""
    path = write("extends: base.yaml\ntraining: {optimizer: {RMSprop: {rho: 0.8}}}\n")
    optimizer = load(path).experiment.training.optimizer

    assert (optimizer.name, optimizer.arguments) == ("RMSprop", {"rho": 0.8})


def test_the_same_optimizer_merges_its_arguments(write):
    path = write("extends: base.yaml\ntraining: {optimizer: {adam: {beta_1: 0.7}}}\n")
    optimizer = load(path).experiment.training.optimizer

    assert optimizer.arguments == {"learning_rate": 0.01, "beta_1": 0.7}


def test_another_schedule_replaces_the_one_below(write):
    write(
        "extends: base.yaml\ntraining: {optimizer: {Adam: {learning_rate: {ExponentialDecay: "
        "{initial_learning_rate: 0.1, decay_steps: 10, decay_rate: 0.5}}}}}\n",
        "decay.yaml",
    )
    path = write(
        "extends: decay.yaml\ntraining: {optimizer: {Adam: {learning_rate: {CosineDecay: "
        "{initial_learning_rate: 0.1, decay_steps: 10}}}}}\n"
    )

    assert load(path).experiment.training.optimizer.arguments["learning_rate"] == {
        "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 10}
    }


def test_another_data_set_replaces_the_one_below(write):
    path = write("extends: base.yaml\ndataset: reuters\n")

    assert load(path).experiment.dataset.prepare == ()


def test_arguments_of_the_same_data_set_merge(write):
    path = write("extends: base.yaml\ndataset: {num_words: 500}\n")
    dataset = load(path).experiment.dataset

    assert (dataset.num_words, len(dataset.prepare)) == (500, 1)


def test_a_chain_is_followed_from_folder_to_folder(write):
    write("extends: ../base.yaml\nseed: 1\n", "more/middle.yaml")
    path = write("extends: more/middle.yaml\n")

    assert load(path).experiment.seed == 1


def test_a_fault_is_placed_in_the_file_that_holds_it(write):
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
    ],
)
def test_extends_must_lead_somewhere(write, extends, message):
    path = write(f"seed: 0\nextends: {extends}\n")
    expected = message.format(path.parent).replace(f"{path.parent}/", "")

    assert f"x.yaml:2:10: NN008 extends: {expected}" in faults(path)


@pytest.mark.parametrize("name", ["ä" * 9000, '"\\0"'], ids=["long", "zero byte"])
def test_a_name_that_no_file_can_have_is_refused(write, name):
    path = write(f"extends: {name}\nseed: 1\n")
    [fault] = faults(path)

    assert fault.startswith("x.yaml:1:10: NN008 extends: no file ")


def test_a_circle_of_two_is_found(write):
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
        ("dataset.num_words=50", "dataset.num_words", 50),
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
    found = load(write(BASE), overrides=[override])
    at = found.experiment
    for key in path.split("."):
        at = (
            at[int(key)] if key.isdigit() else at[key] if isinstance(at, dict) else getattr(at, key)
        )

    assert at == value


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
def test_an_override_that_cannot_be_is_explained(write, override, message):
    assert faults(write(BASE), override) == [f"--set:{message}"]


def test_faults_of_overrides_come_last(write):
    path = write(BASE.replace("epochs: 20", "epochs: 0"))

    assert [line.split(":")[0] for line in faults(path, "seed=-1", "x")] == [
        "x.yaml",
        "--set",
        "--set",
    ]
