"""No key of a spec runs code or reads a file: only what Keras has, by its name."""

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
GOOD = {
    "layers": "Dense: 10",
    "optimizers": "adam",
    "losses": "mse",
    "metrics": "mae",
    "callbacks": "TerminateOnNaN",
}
ARGUMENTS = ("activation", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
NAMES = (
    *("os.system", "builtins.eval", "keras.src.layers.core.lambda_layer.Lambda", "keras.layers.Lambda"),
    *("__import__", "lambda x: x", "Lambda(lambda x: x)", "exec('1')", "mine>Layer", "../layer.py"),
)  # fmt: skip
MADE = (
    "{class_name: system, module: os, config: {command: touch canary}}",
    "{class_name: Lambda, config: {function: x}}",
    "{registered_name: mine>Layer}",
    "{class_name: Lambda}",
    "{module: os, class_name: system}",
    "{custom_objects: {x: os.system}}",
)


def first_fault(tmp_path: Path, **parts: str) -> str:
    """The first line of what a person reads."""
    path = tmp_path / "a.yaml"
    path.write_text(SPEC.format(**{**GOOD, **parts}))
    with pytest.raises(SpecError) as refusal:
        load(path)
    return render(refusal.value.faults[0]).splitlines()[0].removeprefix(str(path))


LINES = {"layers": 3, "optimizers": 5, "losses": 6, "metrics": 7, "callbacks": 8}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("form", ["'{}'", "{{'{}': {{}}}}", "{{'{}': {{function: x}}}}"])
def test_only_registered_names_are_taken(form: str, kind: str, name: str, tmp_path: Path) -> None:
    written = form.format(name.replace("'", "''"))
    fault = first_fault(tmp_path, **{kind: written})

    assert fault.startswith(f":{LINES[kind]}:")
    assert "unknown" in fault
    assert NEVER_CODE in fault or "did you mean" in fault


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("argument", ARGUMENTS)
def test_nor_are_others_taken_inside_of_a_layer(argument: str, name: str, tmp_path: Path) -> None:
    written = name.replace("'", "''")
    fault = first_fault(tmp_path, layers=f"Dense: {{units: 10, {argument}: '{written}'}}")

    assert fault.startswith(":3:")
    assert "unknown" in fault
    assert NEVER_CODE in fault or "did you mean" in fault


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("kind", GOOD)
def test_a_mapping_is_never_made_into_an_object(kind: str, made: str, tmp_path: Path) -> None:
    """As Keras does with its own files."""
    fault = first_fault(tmp_path, **{kind: made})

    assert fault.startswith(f":{LINES[kind]}:")
    assert fault.endswith(NEVER_CODE)


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize(
    "layer",
    [
        *(f"Dense: {{units: 10, {argument}: MADE}}" for argument in ARGUMENTS),
        "Dense: {units: 10, dtype: MADE}",
        "Dense: {units: MADE}",
        "Dense: {units: 10, quantization_config: MADE}",
        "Dense: {units: 10, kernel_initializer: {Constant: {value: MADE}}}",
        "Dropout: {rate: 0.1, seed: MADE}",
        "Embedding: {input_dim: 3, output_dim: 2, weights: [MADE]}",
        "RNN: {cell: MADE}",
        "TimeDistributed: {layer: MADE}",
        "Bidirectional: {layer: {LSTM: 3}, backward_layer: MADE}",
        "TextVectorization: {vocabulary: [a], standardize: MADE}",
        "TextVectorization: {vocabulary: [a], split: {a: [{b: MADE}]}}",
        "Pipeline: {layers: [MADE]}",
    ],
)  # fmt: skip
def test_nor_is_one_inside_of_a_layer(layer: str, made: str, tmp_path: Path) -> None:
    fault = first_fault(tmp_path, layers=layer.replace("MADE", made))

    assert fault.startswith(":3:")
    assert fault.endswith(NEVER_CODE)


@pytest.mark.parametrize("made", MADE)
def test_nor_is_one_as_any_argument_that_keras_has(made: str) -> None:
    """Of many arguments no type is known, and Keras looks for such mappings where it likes."""
    value = source.read(made, source="x.yaml").root.plain()
    arguments = [
        (kind, name, argument)
        for kind in keras_names.NOUNS
        for name in catalogue.names(kind)
        for argument in catalogue.arguments(kind, name)
    ]
    taken = [
        (kind, name, argument)
        for kind, name, argument in arguments
        if not any(
            finding.path[:2] == (name, argument)
            for finding in keras_names.check_component(kind, {name: {argument: value}}, ())
        )
    ]

    assert len(arguments) > 1000
    assert taken == []


def test_nor_is_one_inside_of_an_optimizer_or_a_loss(tmp_path: Path) -> None:
    for kind, part in {
        "optimizers": "{Adam: {learning_rate: {class_name: x}}}",
        "losses": "{MeanSquaredError: {dtype: {class_name: x}}}",
        "metrics": "{MeanSquaredError: {dtype: {class_name: x}}}",
        "callbacks": "{LearningRateScheduler: {schedule: {class_name: x}}}",
    }.items():
        assert first_fault(tmp_path, **{kind: part}).endswith(NEVER_CODE)


@pytest.mark.parametrize(
    "name", ["Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"]
)
def test_a_layer_that_runs_code_is_none_of_a_specs(name: str, tmp_path: Path) -> None:
    wrapped = first_fault(tmp_path, layers=f"TimeDistributed: {{layer: {{{name}: {{}}}}}}")
    plain = first_fault(tmp_path, layers=f"{name}: {{function: x}}")

    assert plain == f":3:5: NN104 model[0]: {name} runs Python code, which a spec cannot contain"
    assert wrapped.endswith(f"{name} runs Python code, which a spec cannot contain")


@pytest.mark.parametrize("key", ["custom_objects", "plugins", "imports", "module", "code"])
def test_no_key_names_code(key: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(SPEC.format(**GOOD) + f"{key}: [evil.py]\n")
    with pytest.raises(SpecError) as refusal:
        load(path)

    assert refusal.value.faults[0].message.startswith(f"unknown key '{key}'")


@pytest.mark.parametrize("layer", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_no_file_is_read_into_a_layer(layer: str, tmp_path: Path) -> None:
    """Its lines would be in the model of the run folder."""
    fault = first_fault(tmp_path, layers=f"{layer}: {{vocabulary: /etc/passwd}}")

    assert fault.endswith(
        f"NN114 model[0].{layer}.vocabulary: must be a list of words, got '/etc/passwd'; "
        "files are not read"
    )


@pytest.mark.parametrize(
    "path",
    [
        *("/tmp/x.keras", "../x.keras", "a/../../x.keras", "~/x.keras", "gs://x/y.keras", "C:/x.keras"),
        *("a/{epoch!s:.>2.0}/{epoch!s:.>2.0}/x.keras", "{epoch.__class__}.keras", "{epoch!r}.keras"),
        *("{epoch:9999999d}.keras", "{loss:.999999999f}.keras", "{epoch:c}{epoch:c}/x.keras", "{0}.keras"),
        *("{loss[0]}.keras", "{epoch:{epoch}}.keras", "{epoch:.>5}.keras", "{}.keras", "{epoch.keras"),
    ],
)  # fmt: skip
def test_nothing_is_written_outside_of_the_run_folder(path: str, tmp_path: Path) -> None:
    """A field of Python's can become two dots."""
    fault = first_fault(tmp_path, callbacks=f"{{ModelCheckpoint: {{filepath: '{path}'}}}}")

    assert fault.startswith(":8:")
    assert " NN116 training.callbacks[0].ModelCheckpoint.filepath: m" in fault


@pytest.mark.parametrize("path", ["{epoch}.keras", "a/{epoch:02d}-{val_loss:.2f}.keras", "x.keras"])
def test_a_field_with_a_format_can_stand_in_it(path: str, tmp_path: Path) -> None:
    spec = tmp_path / "a.yaml"
    spec.write_text(
        SPEC.format(**GOOD | {"callbacks": f"{{ModelCheckpoint: {{filepath: '{path}'}}}}"})
    )

    assert load(spec)
