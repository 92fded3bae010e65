"""The networks of `keras.applications`, as one layer in a stack."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any

import keras

from nnrun.errors import DataError
from nnrun.spec import applications

_SCALING = "include_preprocessing"
_NO_NETWORK = "URL fetch failure"
_ARGUMENTS = applications.LAYERS[applications.NAME]["arguments"]
_DEFAULTS = {name: about["default"] for name, about in _ARGUMENTS.items() if "default" in about}


def made(arguments: Mapping[str, Any], inputs: Any) -> tuple[keras.Model, Any]:
    """A network, and what it makes of pictures.

    Args:
        arguments: of `Application` by name, checked; defaults may be left out.
        inputs: a Keras tensor of pictures.

    Raises:
        ValueError: it takes no pictures of this size or with so many colours.
        DataError: its weights cannot be downloaded.
    """
    told = {**_DEFAULTS, **arguments}
    build = getattr(keras.applications, told["name"])
    module = sys.modules[build.__module__]
    # Some hold layers that scale pixels, unless told not to.
    scales_itself = _SCALING in inspect.signature(build).parameters
    given = {_SCALING: told["preprocess"]} if scales_itself else {}
    try:
        network = build(
            include_top=False,
            weights=told["weights"],
            input_shape=tuple(inputs.shape[1:]),
            pooling=told["pooling"],
            **given,
        )
    except Exception as error:  # Keras has no class for it.
        if _NO_NETWORK not in str(error):
            raise
        raise DataError(f"the weights of {told['name']} cannot be downloaded: {error}") from error
    network.trainable = told["trainable"]
    pictures = module.preprocess_input(inputs) if told["preprocess"] else inputs
    return network, network(pictures)


def learnt_statistics(arguments: Mapping[str, Any], network: keras.Model) -> list[keras.Layer]:
    """The layers of a network whose means and variances are those of all that it has learnt from.

    Those of a few new pictures would undo what it knows, as Keras's guide says,
    <https://keras.io/guides/transfer_learning/>. Its way, `training=False` where the network is
    called, comes to nothing in Keras 3: a model that trains tells it all its parts.
    """
    if {**_DEFAULTS, **arguments}["weights"] is None:
        return []
    return [each for each in network.layers if isinstance(each, keras.layers.BatchNormalization)]
