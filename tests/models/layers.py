"""A small example of every layer, and the layers that cannot be in a stack."""

from __future__ import annotations

from typing import Any

from nnrun.spec import catalogue
from nnrun.spec.component import ATTENTION, INPUTS, MERGES, SOURCES, Component

VECTOR, SEQUENCE, IMAGE, VOLUME = (6,), (8, 3), (8, 8, 3), (6, 6, 6, 2)
TOKENS, SIGNAL, WAVE = (5,), (64, 1), (64,)
VIDEOS = {"1D": (3, 8, 2), "2D": (3, 6, 6, 2), "3D": (3, 4, 4, 4, 2)}
DENSE = {"Dense": {"units": 3}}

MERGE = "takes several inputs; write Branches: {paths: […], merge: "
CELL = "is one step of a recurrent layer; use it as the cell of an RNN"
TEXTS = "takes texts, but the input of a stack is numbers"
NOT_IN_A_STACK = {
    **{name.capitalize(): f"{MERGE}{name}}}" for name in MERGES},
    "HashedCrossing": "takes several inputs, and a stack has one",
    **dict.fromkeys("LSTMCell GRUCell SimpleRNNCell StackedRNNCells".split(), CELL),
    **dict.fromkeys("StringLookup TextVectorization".split(), TEXTS),
    "Equalization": "would be left out of the model by Keras without a warning",
    "MaxNumBoundingBoxes": "takes boxes by name, and a row is one array",
}
"""Layers that cannot be in a stack, and why."""

IMAGE_LAYERS = {
    *("AugMix", "AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix"),
    *("MixUp", "RandAugment", "Solarization", "GroupNormalization", "Resizing", "CenterCrop"),
}
WORDS = {"Embedding", "ReversibleEmbedding", "CategoryEncoding", "Hashing", "IntegerLookup"}
SEQUENCE_LAYERS = {
    *("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "TimeDistributed", "Masking", "Permute"),
    *ATTENTION,
}
# Values of required arguments.
NEEDED: dict[str, Any] = {
    **dict.fromkeys(("num_heads", "num_query_heads", "num_key_value_heads"), 1),
    **dict.fromkeys(("filters", "output_size", "pool_size", "key_dim", "head_dim", "times"), 2),
    **dict.fromkeys(("kernel_size", "units", "n", "output_dim", "output_shape", "max_number"), 3),
    **dict.fromkeys(("factor", "rate", "height_factor", "width_factor"), 0.2),
    "stddev": 0.1,
    "scale": 0.5,
    "height": 4,
    "width": 4,
    "input_dim": 10,
    "num_bins": 5,
    "activation": "relu",
    "equation": "ab,bc->ac",
    "axes": 1,
    "dims": [2, 1],
    "target_shape": [3, 2],
    "layer": DENSE,
    "cell": {"LSTMCell": {"units": 3}},
    "layers": [DENSE, {"ReLU": {}}],
    "cells": [{"LSTMCell": {"units": 3}}],
    "main": [DENSE, {"Dense": {"units": 6}}],
    "paths": [[DENSE], []],
}
# Other arguments, because the defaults do not fit a small input.
CHOSEN: dict[str, dict[str, Any]] = {
    "Application": {"name": "MobileNetV3Small", "weights": None},
    "Bidirectional": {"layer": {"LSTM": {"units": 3}}},
    "CategoryEncoding": {"num_tokens": 10},
    "Discretization": {"bin_boundaries": [0.0, 1.0]},
    "GroupNormalization": {"groups": 3},
    "IntegerLookup": {"vocabulary": [1, 2, 3]},
    "MelSpectrogram": {
        "fft_length": 16,
        "sequence_stride": 8,
        "num_mel_bins": 4,
        "sampling_rate": 1000,
        "max_freq": 400.0,
    },
    "Normalization": {"mean": 0.0, "variance": 1.0},
    "RandomPosterization": {"factor": 4},
    **{key: {"vocabulary": ["a", "b"]} for key in ("StringLookup", "TextVectorization")},
    "STFTSpectrogram": {"frame_length": 16, "frame_step": 8, "fft_length": 16},
}
SHAPES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(IMAGE_LAYERS, IMAGE),
    **dict.fromkeys(WORDS, TOKENS),
    **dict.fromkeys(SEQUENCE_LAYERS, SEQUENCE),
    "Application": (32, 32, 3),
    "MelSpectrogram": WAVE,
    "STFTSpectrogram": SIGNAL,
}
# Keras crops only in training, so the next layer has to accept images of any size.
FLATTEN = {"RandomCrop": "GlobalAveragePooling2D"}
QUICK = {"Dense", "Embedding", "RandomFlip"}
LAYERS = sorted(
    {catalogue.canonical_name("layers", name) for name in catalogue.names("layers")}
    - SOURCES.keys()
    - {INPUTS}
)
STACKABLE = [name for name in LAYERS if name not in NOT_IN_A_STACK]


def component(name: str) -> Component:
    """The layer with arguments that suit its `shape`."""
    entry = catalogue.entry("layers", name)
    assert entry is not None
    required = [each.name for each in entry.arguments.values() if each.required]
    arguments = CHOSEN.get(name) or {argument: NEEDED[argument] for argument in required}
    return Component(name=name, arguments=arguments)


def shape(name: str) -> tuple[int, ...]:
    """A small input that the layer accepts."""
    sizes = {"1D": SEQUENCE, "2D": IMAGE, "3D": VOLUME}
    sizes = VIDEOS if name.startswith("ConvLSTM") else sizes
    by_name = [size for dimensions, size in sizes.items() if dimensions in name]
    by_name += [IMAGE] if name.startswith("Random") else []
    return SHAPES.get(name, by_name[0] if by_name else VECTOR)


def tail(name: str) -> list[Component]:
    """Layers that reduce the output to one number."""
    flat = Component(name=FLATTEN.get(name, "Flatten"))
    return [flat, Component(name="Dense", arguments={"units": 1})]
