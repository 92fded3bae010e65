"""`lint`: which warnings a spec takes back."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from nnrun.spec.base import Spec
from nnrun.spec.lint_codes import LINT


def _known(code: str) -> Any:
    if code not in LINT:
        raise PydanticCustomError("lint_code", "unknown warning")
    return code


# What an editor proposes; `_known` is what checks.
_CODES = {
    "enum": list(LINT),
    "markdownEnumDescriptions": [rule.rule for rule in LINT.values()],
}
Code = Annotated[str, AfterValidator(_known), Field(json_schema_extra=_CODES)]


class Lint(Spec):
    """Warnings of `nnrun check` that are meant to be so."""

    ignore: Annotated[tuple[Code, ...], Field(strict=False)] = ()
    """Codes such as `NN203` that are not to be said of this spec."""
