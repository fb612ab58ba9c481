"""Read JSON strictly: in UTF-8, with each name once, and without NaN and infinite numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

NOT_JSON = "The body is not JSON in UTF-8"
# Characters of a name in an error.
MAX_NAME = 60


class NotStrict(ValueError):
    """The text says what is wrong, without a period."""


def load(data: bytes) -> Any:
    """Return the value. Raises NotStrict.

    Of a name that is given twice, programs differ in which value they take: one could be checked and the other used.
    """
    try:
        text = data.decode("utf-8")
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite_float)
    except NotStrict:
        raise
    except (ValueError, RecursionError):
        raise NotStrict(NOT_JSON) from None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise NotStrict(f"The body has the name {name[:MAX_NAME]!r} more than once")
        found[name] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise NotStrict(f"The body has {name}, which is not JSON")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotStrict(f"The body has the number {text[:MAX_NAME]}, which is out of range")
    return number
