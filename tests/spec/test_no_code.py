"""No key of a spec runs code, reads a file or writes outside the run folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.errors import SpecError
from nnrun.spec import catalogue, keras_names, source
from nnrun.spec.keras_names import NEVER_CODE
from nnrun.spec.loading import load
from nnrun.spec.rendering import render

SPEC = """\
dataset: {{name: digits, prepare: [flatten]}}
model:
  - {layers}
training:
  optimizer: {optimizers}
  loss: {losses}
  metrics: [{metrics}]
  callbacks: [{callbacks}]
  epochs: 1
"""
LINES = {"layers": 3, "optimizers": 5, "losses": 6, "metrics": 7, "callbacks": 8}
VALID = {
    "layers": "Dense: 10",
    "optimizers": "adam",
    "losses": "mse",
    "metrics": "mae",
    "callbacks": "TerminateOnNaN",
}
ARGUMENTS = ("activation", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
NAMES = ("os.system", "keras.src.layers.core.lambda_layer.Lambda", "__import__", "Lambda(lambda x: x)", "mine>Layer")  # fmt: skip
CONFIGURATIONS = (
    "{class_name: system, module: os, config: {command: touch canary}}",
    "{registered_name: mine>Layer}",
    "{class_name: Lambda}",
    "{module: os, class_name: system}",
    "{custom_objects: {x: os.system}}",
)


def write(folder: Path, **components: str) -> Path:
    path = folder / "a.yaml"
    path.write_text(SPEC.format(**{**VALID, **components}))
    return path


def first_fault(path: Path) -> str:
    """The first line of the first fault, without the file."""
    with pytest.raises(SpecError) as refusal:
        load(path)
    return render(refusal.value.faults[0]).splitlines()[0].removeprefix(str(path))


@pytest.mark.parametrize("name", NAMES)
def test_names_that_keras_does_not_have_are_refused(name: str, tmp_path: Path) -> None:
    """As a component, alone or with arguments, and as an argument of a layer."""
    for kind in VALID:
        for form in ("'{}'", "{{'{}': {{}}}}", "{{'{}': {{function: x}}}}"):
            fault = first_fault(write(tmp_path, **{kind: form.format(name)}))
            assert fault.startswith(f":{LINES[kind]}:")
            assert "unknown" in fault
            assert NEVER_CODE in fault or "did you mean" in fault
    for argument in ARGUMENTS:
        fault = first_fault(write(tmp_path, layers=f"Dense: {{units: 10, {argument}: '{name}'}}"))
        assert fault.startswith(":3:")
        assert "unknown" in fault
        assert NEVER_CODE in fault or "did you mean" in fault


NESTED = [
    *(f"Dense: {{units: 10, {argument}: CONFIGURATION}}" for argument in (*ARGUMENTS, "dtype")),
    "Dense: {units: CONFIGURATION}",
    "Dense: {units: 10, kernel_initializer: {Constant: {value: CONFIGURATION}}}",
    "Embedding: {input_dim: 3, output_dim: 2, weights: [CONFIGURATION]}",
    "RNN: {cell: CONFIGURATION}",
    "TimeDistributed: {layer: CONFIGURATION}",
    "TextVectorization: {vocabulary: [a], standardize: CONFIGURATION}",
    "TextVectorization: {vocabulary: [a], split: {a: [{b: CONFIGURATION}]}}",
    "Pipeline: {layers: [CONFIGURATION]}",
]


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_configuration_of_an_object_is_refused(configuration: str, tmp_path: Path) -> None:
    """Keras creates objects from them in its own files."""
    for kind in VALID:
        fault = first_fault(write(tmp_path, **{kind: configuration}))
        assert fault.startswith(f":{LINES[kind]}:")
        assert fault.endswith(NEVER_CODE)
    for layer in NESTED:
        fault = first_fault(write(tmp_path, layers=layer.replace("CONFIGURATION", configuration)))
        assert fault.startswith(":3:")
        assert fault.endswith(NEVER_CODE)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_configuration_of_an_object_is_refused_as_any_argument(configuration: str) -> None:
    value = source.read(configuration, source="x.yaml").root.plain()
    arguments = [
        (kind, name, argument)
        for kind in keras_names.NOUNS
        for name in catalogue.names(kind)
        for argument in catalogue.arguments(kind, name)
    ]
    accepted = [
        (kind, name, argument)
        for kind, name, argument in arguments
        if not any(
            problem.path[:2] == (name, argument)
            for problem in keras_names.check_component(kind, {name: {argument: value}}, ())
        )
    ]

    assert len(arguments) > 1000
    assert accepted == []


@pytest.mark.parametrize(
    ("kind", "component"),
    [
        ("optimizers", "{Adam: {learning_rate: {class_name: x}}}"),
        ("losses", "{MeanSquaredError: {dtype: {class_name: x}}}"),
        ("metrics", "{MeanSquaredError: {dtype: {class_name: x}}}"),
        ("callbacks", "{LearningRateScheduler: {schedule: {class_name: x}}}"),
    ],
)
def test_the_configuration_of_an_object_is_refused_in_the_training(
    kind: str, component: str, tmp_path: Path
) -> None:
    assert first_fault(write(tmp_path, **{kind: component})).endswith(NEVER_CODE)


@pytest.mark.parametrize(
    "name", ["Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"]
)
def test_a_layer_with_code_is_refused(name: str, tmp_path: Path) -> None:
    message = f"{name} runs Python code, which a spec cannot contain"
    plain = first_fault(write(tmp_path, layers=f"{name}: {{function: x}}"))
    wrapped = first_fault(write(tmp_path, layers=f"TimeDistributed: {{layer: {{{name}: {{}}}}}}"))

    assert plain == f":3:5: NN104 model[0]: {message}"
    assert wrapped.endswith(message)


@pytest.mark.parametrize("key", ["custom_objects", "plugins", "imports", "module"])
def test_no_key_names_code(key: str, tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text() + f"{key}: [evil.py]\n")

    assert f"unknown key '{key}'" in first_fault(path)


@pytest.mark.parametrize("layer", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_no_file_is_read_into_a_layer(layer: str, tmp_path: Path) -> None:
    """Its lines would be in the model of the run folder."""
    fault = first_fault(write(tmp_path, layers=f"{layer}: {{vocabulary: /etc/passwd}}"))

    assert fault.endswith(
        f"NN114 model[0].{layer}.vocabulary: must be a list of words, got '/etc/passwd'; "
        "files are not read"
    )


@pytest.mark.parametrize(
    "path",
    [
        *("/tmp/x.keras", "../x.keras", "a/../../x.keras", "~/x.keras", "gs://x/y.keras", "C:/x.keras"),
        *("C:\\x", "\\x", "a\\..\\x", "{epoch.__class__}.keras", "{epoch!r}.keras", "{loss[0]}.keras"),
        *("{epoch:9999999d}.keras", "{loss:.999999999f}.keras", "{epoch:c}{epoch:c}/x.keras", "{0}.keras"),
        *("{epoch:{epoch}}.keras", "{epoch:.>5}.keras", "{}.keras", "{epoch.keras"),
        "a/{epoch!s:.>2.0}/{epoch!s:.>2.0}/x.keras",
    ],
)  # fmt: skip
def test_nothing_is_written_outside_the_run_folder(path: str, tmp_path: Path) -> None:
    """A field of a format can become two dots."""
    fault = first_fault(write(tmp_path, callbacks=f"{{ModelCheckpoint: {{filepath: '{path}'}}}}"))

    assert fault.startswith(":8:")
    assert " NN116 training.callbacks[0].ModelCheckpoint.filepath: m" in fault


@pytest.mark.parametrize("path", ["{epoch}.keras", "a/{epoch:02d}-{val_loss:.2f}.keras", "x.keras"])
def test_a_file_name_may_have_fields(path: str, tmp_path: Path) -> None:
    assert load(write(tmp_path, callbacks=f"{{ModelCheckpoint: {{filepath: '{path}'}}}}"))
