"""What is sure to be wrong with a component is told; whatever Keras may take passes."""

import pytest

from nnrun.spec import catalogue, extending, keras_names, source
from nnrun.spec.component import Component
from nnrun.spec.suggest import nearest
from nnrun.spec.tree import dotted


def found(kind: str, text: str) -> list[str]:
    """What is wrong with one component written in YAML."""
    node = extending.expand_component(kind, source.read(text, source="x.yaml").root)
    findings = keras_names.check_component(kind, node.plain(), ())
    return [f"{f.code} {dotted(f.path)}: {f.message} ({f.suggestion})" for f in findings]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("layers", "Flatten"),
        ("layers", "Dense: 16"),
        ("layers", "Dense: {units: 16, name: first, dtype: float32, activity_regularizer: l2}"),
        ("layers", "Dense: {units: 1, kernel_regularizer: null, activation: null}"),
        ("layers", "Dense: {units: 1, kernel_initializer: {HeNormal: {seed: 1}}}"),
        ("layers", "Reshape: [28, 28, 1]"),
        ("layers", "Bidirectional: {layer: {LSTM: 32}, backward_layer: {LSTM: {units: 32}}}"),
        ("layers", "TimeDistributed: {layer: Flatten}"),
        ("layers", "RNN: {cell: {StackedRNNCells: {cells: [LSTMCell: 3, GRUCell: 4]}}}"),
        ("layers", "LSTM: {units: 3, zero_output_for_mask: true}"),
        ("optimizers", "rmsprop"),
        ("optimizers", "adam: {learning_rate: 1}"),
        (
            "optimizers",
            "SGD: {learning_rate: {CosineDecay: {initial_learning_rate: 0.1, decay_steps: 3}}}",
        ),
        ("losses", "mse"),
        ("losses", "binary_crossentropy: {from_logits: true}"),
        ("metrics", "accuracy"),
        ("metrics", "acc"),
        ("metrics", "AUC: {num_thresholds: 10}"),
        ("callbacks", "TensorBoard: {profile_batch: '10,20'}"),
        ("callbacks", "ModelCheckpoint: checkpoints/best.keras"),
        ("schedules", "PolynomialDecay: {initial_learning_rate: 0.1, decay_steps: 9}"),
        (
            "callbacks",
            "LearningRateScheduler: {schedule: {CosineDecay: {initial_learning_rate: 1, decay_steps: 3}}}",
        ),
    ],
)
def test_what_keras_takes_passes(kind, text):
    assert found(kind, text) == []


def test_every_word_of_the_catalogue_passes_but_for_what_it_needs():
    for kind in keras_names.NOUNS:
        for word in catalogue.names(kind):
            codes = {line.split()[0] for line in found(kind, word)}

            assert codes <= {"NN113"}, word


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("layers", "dense: 3", "NN104 : unknown layer 'dense' (Dense)"),
        ("layers", "Lambda: 'x: x'", "NN104 : Lambda runs Python code, which a spec cannot contain (None)"),
        ("layers", "Dense: {unitz: 3}", "NN112 Dense.unitz: Dense has no argument 'unitz' (units)"),
        ("layers", "Dense: -1", "NN114 Dense.units: must be a whole number above 0, got -1 (None)"),
        ("layers", "Dense: true", "NN114 Dense.units: must be a whole number above 0, got true (None)"),
        ("layers", "Dropout: 50", "NN114 Dropout.rate: must be a number from 0 to 1, got 50 (None)"),
        ("layers", "Dropout: .nan", "NN114 Dropout.rate: must be a number from 0 to 1, got nan (None)"),
        ("layers", "Add: 3", "NN112 Add: Add takes no argument, got 3 (None)"),
        ("layers", "Conv2D", "NN113 Conv2D: Conv2D needs the arguments 'filters' and 'kernel_size' (None)"),
        ("layers", "Dense: {units: 1, use_bias: no}", "NN114 Dense.use_bias: must be true or false, got 'no' (false)"),
        ("layers", "Activation: {relu: {max_value: 6}}", "NN112 Activation.relu: Activation has no argument 'relu'; it takes activation (None)"),
        ("layers", "Activation: {activation: {relu: 6}}", "NN115 Activation.activation: must be a word such as 'relu'; for arguments use a layer such as LeakyReLU (None)"),
        ("layers", "Dense: {units: 1, kernel_regularizer: 0.1}", "NN115 Dense.kernel_regularizer: must be a regularizer such as 'L2: 0.01', got 0.1 (None)"),
        ("layers", "Dense: {units: 1, kernel_initializer: henormal}", "NN117 Dense.kernel_initializer: unknown initializer 'henormal' (he_normal)"),
        ("layers", "{Dense: 1, Flatten: 2}", "NN115 : holds Dense and Flatten, but one layer is expected; put '- ' before each (None)"),
        ("layers", "''", "NN115 : must be a layer such as 'Dense: {units: 16}', got '' (None)"),
        ("optimizers", "adan", "NN105 : unknown optimizer 'adan' (adam)"),
        ("optimizers", "Adam: fast", "NN114 Adam.learning_rate: must be a number or a schedule such as 'ExponentialDecay: {...}', got 'fast' (None)"),
        ("optimizers", "Adam: {beta_1: '0.9'}", "NN114 Adam.beta_1: must be a number, got '0.9'; leave out the quotes (None)"),
        ("losses", "binary_cross_entropi", "NN106 : unknown loss 'binary_cross_entropi' (binary_crossentropy)"),
        ("metrics", "accuracy: 3", "NN112 accuracy: accuracy takes no argument, got 3 (None)"),
        ("metrics", "accuracy: {name: x}", "NN112 accuracy.name: accuracy takes no arguments, got 'name' (None)"),
        ("callbacks", "EarlyStopping: 3", "NN114 EarlyStopping.monitor: must be a word, got 3 (None)"),
        ("callbacks", "LearningRateScheduler: 3", "NN115 LearningRateScheduler.schedule: must be a schedule such as 'ExponentialDecay: {...}', got 3 (None)"),
        ("callbacks", "CSVLogger: 3", "NN114 CSVLogger.filename: must be a file name, got 3 (None)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(kind, text, message):
    assert found(kind, text) == [message]


@pytest.mark.parametrize(
    "path", ["/tmp/x", "../x", "a/../../x", "~/x", "C:\\x", "\\x", "a\\..\\x", "gs://bucket/x"]
)
def test_files_stay_in_the_run_folder(path):
    [line] = found("callbacks", f"CSVLogger: '{path}'")

    assert line.startswith("NN116 CSVLogger.filename: must be a path inside the run folder")


def test_a_word_with_arguments_becomes_keras_own_name():
    """Keras takes arguments with the class's name only."""
    node = source.read("rmsprop: 0.1", source="x.yaml").root
    written = extending.expand_component("optimizers", node)

    assert written.plain() == {"RMSprop": {"learning_rate": 0.1}}


@pytest.mark.parametrize(
    ("kind", "word", "meaning"),
    [
        ("losses", "mse", "MeanSquaredError"),
        ("metrics", "MAE", "MeanAbsoluteError"),
        ("optimizers", "rmsprop", "RMSprop"),
        ("initializers", "he_normal", "HeNormal"),
        ("regularizers", "l2", "L2"),
        ("layers", "Dense", "Dense"),
        ("layers", "Dens", "Dens"),
        ("metrics", "accuracy", "accuracy"),
    ],
)
def test_a_word_means_one_of_keras_names(kind, word, meaning):
    assert catalogue.canonical_name(kind, word) == meaning


def test_a_lone_value_gets_the_name_of_the_first_argument():
    lone = Component(name="Dense", arguments={"": 16})

    assert catalogue.name_lone_argument("layers", lone).arguments == {"units": 16}


def test_the_kind_of_an_argument_is_known():
    assert catalogue.argument_kind("layers", "Dense", "kernel_regularizer") == "regularizers"
    assert catalogue.argument_kind("layers", "Dense", "units") is None
    assert catalogue.argument_kind("layers", "Dens", "units") is None


@pytest.mark.parametrize(
    ("word", "suggestion"),
    [("dense", "Dense"), ("Dens", "Dense"), ("drop_out", "Dropout"), ("Transformer", None)],
)
def test_the_nearest_word_is_suggested_if_it_is_near(word, suggestion):
    assert nearest(word, ["Dropout", "Dense", "Flatten"]) == suggestion


@pytest.mark.parametrize(
    "name", ["größe", "漢字", "two words", "a/b", "a|b", "a:b", "_a", "-a", ".a", "a\\n", "a\\e[2J", "", "x" * 101]
)  # fmt: skip
@pytest.mark.parametrize("kind", ["layers", "optimizers", "losses"])
def test_a_name_that_tensorflow_cannot_take_is_told(kind, name):
    """It stopped the training, with a fault of the loss and a message about something else."""
    component = {"layers": "Flatten", "optimizers": "Adam", "losses": "MeanSquaredError"}[kind]
    [finding] = found(kind, f'{component}: {{name: "{name}"}}')

    assert finding.startswith(
        f"NN114 {component}.name: must be 1 to 100 letters, digits, '_', '-' or '.', a letter or "
        "digit first, got "
    )


@pytest.mark.parametrize("name", ["a", "1x", "a.b", "a-b", "A_b_", "x" * 100, "null"])
def test_a_name_that_tensorflow_takes_passes(name):
    assert found("layers", f"Flatten: {{name: {name}}}") == []
