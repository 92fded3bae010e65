"""Every layer is exported with equal outputs, or refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnrun.errors import RunError
from nnrun.exporting import Format
from nnrun.exporting.flow import write
from tests.models.layers import STACKABLE, WORDS
from tests.models.test_every_layer import model, rows, spec

# Operations that LiteRT and ONNX lack.
LACKING: dict[Format, dict[str, str]] = {
    Format.saved_model: {},
    Format.tflite: {
        **dict.fromkeys(("AveragePooling3D", "AvgPool3D"), "needs AvgPool3D"),
        **dict.fromkeys(("MaxPooling3D", "MaxPool3D"), "needs MaxPool3D"),
        "AdaptiveAveragePooling3D": "needs AvgPool3D",
        "AdaptiveMaxPooling3D": "needs MaxPool3D",
        "CategoryEncoding": "needs DenseBincount",
        "ConvLSTM3D": "only supports 1D-5D input arrays",
        "Hashing": "needs AsString",
        "IntegerLookup": "needs HashTableV2",
    },
    Format.onnx: {
        "Discretization": "needs Bucketize",
        "Hashing": "needs StringToHashBucketFast",
        "IntegerLookup": "needs LookupTableFindV2",
        "MelSpectrogram": "needs RFFT",
        "Normalization": "has numbers that the converter loses",
    },
}
# LiteRT needs a list of outputs of fixed size.
RECURRENT = {"Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "GRU", "LSTM", "RNN", "SimpleRNN"}
QUICK = {"RandomFlip", "IntegerLookup"}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
every_layer = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in STACKABLE],
)


ANY, ONE = "the same, for any number of rows", "the same, for one row at a time"


def outcome(name: str, format_: Format, folder: Path) -> str:
    """The result of exporting a model with a layer, in words."""
    words = name in WORDS
    built = model(spec(name, folder).experiment, words=words)
    try:
        batch, difference = write(built, format_, folder / "a", rows(words=words))
    except RunError as error:
        return str(error)
    return f"{difference} apart" if difference > 1e-5 else ONE if batch else ANY


@every_layer
@pytest.mark.parametrize("format_", Format)
def test_a_layer_has_equal_outputs_in_each_format_or_is_refused(
    format_: Format, name: str, tmp_path: Path
) -> None:
    """Layers that are random in training are not random in an export."""
    expected = ONE if format_ is Format.tflite and name in RECURRENT else ANY

    assert LACKING[format_].get(name, expected) in outcome(name, format_, tmp_path)
