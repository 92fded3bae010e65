"""A network of `keras.applications` as one layer.

It stands in the catalogue beside Keras's layers and is described in its words.
"""

from __future__ import annotations

from typing import Any

NAME = "Application"

NETWORKS = (
    *("ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge"),
    *("DenseNet121", "DenseNet169", "DenseNet201"),
    *(f"EfficientNetB{size}" for size in range(8)),
    *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "L", "M", "S")),
    *("InceptionResNetV2", "InceptionV3"),
    *("MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small"),
    *("NASNetLarge", "NASNetMobile"),
    *("ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2"),
    *("VGG16", "VGG19", "Xception"),
)
"""By their names in Keras; a test compares them with those that are installed."""

LAYERS: dict[str, dict[str, Any]] = {
    NAME: {
        "doc": "A network of `keras.applications` without its last layers, for transfer learning.",
        "arguments": {
            "name": {
                "doc": "The network's name.",
                "types": ["string"],
                "choices": [*NETWORKS],
            },
            "weights": {
                "doc": "What it has learnt before: `imagenet`, downloaded once, or nothing.",
                "types": ["string", "null"],
                "choices": ["imagenet"],
                "default": "imagenet",
            },
            "pooling": {
                "doc": "Whether each of the last maps becomes one number, its mean or maximum.",
                "types": ["string", "null"],
                "choices": ["avg", "max"],
                "default": None,
            },
            "preprocess": {
                "doc": "Whether it scales pixels from 0 to 255 as its authors did.",
                "types": ["boolean"],
                "default": True,
            },
            "trainable": {
                "doc": "Whether training changes it.",
                "types": ["boolean"],
                "default": True,
            },
        },
    },
}
"""By name, in the form of the catalogue's file."""
