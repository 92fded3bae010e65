"""`nnrun devices`."""

from __future__ import annotations

from nnrun.cli import console
from nnrun.cli.noise import Noise
from nnrun.cli.verb import Json, exit_codes

EXAMPLE = "Example: nnrun train configs/digits.yaml --set training.device=cpu"


def devices(json: Json = False) -> None:
    """List the devices that `training.device` can name."""
    with exit_codes():
        with Noise():
            from nnrun.training import devices as stage

            found, chosen = stage.available(), stage.choose("auto")
        if json:
            console.print_json({"schema_version": 1, "devices": found, "auto": chosen})
            return
        for name, description in found.items():
            mark = " (auto)" if name == chosen else ""
            console.stdout().print(f"{name}{mark}: {description}", markup=False)
