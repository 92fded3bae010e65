"""Checks of single components: certain mistakes are reported, everything else passes."""

import pytest

from nnrun.spec import catalogue, extending, keras_names, source
from nnrun.spec.component import Component
from nnrun.spec.tree import dotted


def problems(kind: str, text: str) -> list[str]:
    """The problems of a component written in YAML."""
    node = extending.expand_component(kind, source.read(text, source="x.yaml").root)
    return [
        f"{problem.code} {dotted(problem.path)}: {problem.message} ({problem.suggestion})"
        for problem in keras_names.check_component(kind, node.plain(), ())
    ]


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
        ("layers", "RNN: {cell: {StackedRNNCells: {cells: [LSTMCell: 3, GRUCell: 4]}}}"),
        ("layers", "LSTM: {units: 3, zero_output_for_mask: true}"),
        ("optimizers", "adam: {learning_rate: 1}"),
        ("optimizers", "SGD: {learning_rate: {CosineDecay: {initial_learning_rate: 0.1, decay_steps: 3}}}"),
        ("losses", "binary_crossentropy: {from_logits: true}"),
        ("metrics", "AUC: {num_thresholds: 10}"),
        ("callbacks", "TensorBoard: {profile_batch: '10,20'}"),
        ("callbacks", "ModelCheckpoint: checkpoints/best.keras"),
        ("callbacks", "LearningRateScheduler: {schedule: {CosineDecay: {initial_learning_rate: 1, decay_steps: 3}}}"),
        *(("layers", f"Flatten: {{name: {name}}}") for name in ("a", "1x", "a.b", "A_b_", "x" * 100, "null")),
    ],
)  # fmt: skip
def test_a_valid_component_passes(kind, text):
    assert problems(kind, text) == []


def test_every_name_of_the_catalogue_passes_except_for_required_arguments():
    for kind in keras_names.NOUNS:
        for name in catalogue.names(kind):
            assert {line.split()[0] for line in problems(kind, name)} <= {"NN113"}, name


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
def test_a_mistake_is_reported(kind, text, message):
    assert problems(kind, text) == [message]


@pytest.mark.parametrize(
    "name", ["größe", "two words", "a/b", "a|b", "a:b", "_a", "-a", ".a", "a\\n", "a\\e[2J", "", "x" * 101]
)  # fmt: skip
@pytest.mark.parametrize(
    "component", ["layers Flatten", "optimizers Adam", "losses MeanSquaredError"]
)
def test_a_name_that_tensorflow_does_not_accept_is_reported(component, name):
    """Otherwise training stops, with an error about the loss."""
    kind, cls = component.split()
    [problem] = problems(kind, f'{cls}: {{name: "{name}"}}')

    assert problem.startswith(
        f"NN114 {cls}.name: must be 1 to 100 letters, digits, '_', '-' or '.', a letter or "
        "digit first, got "
    )


def test_a_name_with_arguments_becomes_canonical():
    """Keras accepts arguments with the name of the class only."""
    node = source.read("rmsprop: 0.1", source="x.yaml").root
    expanded = extending.expand_component("optimizers", node)

    assert expanded.plain() == {"RMSprop": {"learning_rate": 0.1}}


@pytest.mark.parametrize(
    ("kind", "name", "canonical"),
    [
        ("losses", "mse", "MeanSquaredError"),
        ("optimizers", "rmsprop", "RMSprop"),
        ("initializers", "he_normal", "HeNormal"),
        ("layers", "Dens", "Dens"),
        ("metrics", "accuracy", "accuracy"),
    ],
)
def test_an_alias_has_a_canonical_name(kind, name, canonical):
    assert catalogue.canonical_name(kind, name) == canonical


def test_a_lone_value_is_the_first_argument():
    lone = Component(name="Dense", arguments={"": 16})

    assert catalogue.name_lone_argument("layers", lone).arguments == {"units": 16}
