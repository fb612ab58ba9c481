"""What is wrong with a rules file, said so that the person who wrote it can mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from webhooks.validation import describe_toml

Model = TypeVar("Model", bound=BaseModel)

EXAMPLES = {
    "name": 'name = "Finance refresh failures"',
    "on": 'on = ["WorkbookRefreshFailed", "DatasourceRefreshFailed"]',
}
"""What a missing key could look like."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong: where (`rule 2 "Finance" (line 14)`), and what would have been right."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class RulesError(Exception):
    """The rules file cannot be used; `errors` holds all that is wrong with it. `warnings`, what is probably not meant
    besides, stand in the message too, so that one look is enough."""

    def __init__(self, source: str, errors: Sequence[Diagnostic], warnings: Sequence[str] = ()) -> None:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        besides = [f"and perhaps {warning}" for warning in warnings]
        super().__init__("\n  ".join([f"{source} has {count}:", *map(str, errors), *besides]))
        self.source = source
        self.errors = tuple(errors)


class InvalidValue(ValueError):
    """A part of the file that cannot be used; `messages` say why."""

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


def checked(model: type[Model], given: Mapping[str, Any]) -> Model:
    """`given` as `model`. Raises InvalidValue in words for people."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidValue(*describe_toml(error, model.model_fields, EXAMPLES)) from None
