"""What is wrong with a rules file, said so that the person who wrote it can mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from webhooks.spelling import hint

Model = TypeVar("Model", bound=BaseModel)

EXAMPLES = {
    "name": 'name = "Finance refresh failures"',
    "on": 'on = ["WorkbookRefreshFailed", "DatasourceRefreshFailed"]',
}
"""What a missing key could look like."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where (`rule 2 "Finance" (line 14)`), and what would have been right."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class RulesError(Exception):
    """The rules file cannot be used; `faults` holds all that is wrong with it."""

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__("\n  ".join([f"{source} has {count}:", *map(str, faults)]))
        self.source = source
        self.faults = tuple(faults)


class Faulty(ValueError):
    """A part of the file that cannot be used; `messages` say why."""

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


def checked(model: type[Model], given: Mapping[str, Any]) -> Model:
    """`given` as `model`. Raises Faulty in words for people."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Faulty(*(_sentence(one, model) for one in error.errors(include_url=False))) from None


def _sentence(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        example = EXAMPLES.get(name)
        return f"{name} is missing" + (f"; for example {example}" if example else "")
    if error["type"] == "extra_forbidden":
        return f"{name} is not known here; {hint(name, model.model_fields)}"
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return f"{name}: {message}"
