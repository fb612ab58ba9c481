"""The errors of a rules file, worded for the person who wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from webhooks.validation import describe_toml

Model = TypeVar("Model", bound=BaseModel)

# Shown if the key is missing.
EXAMPLES = {
    "at": 'at = "08:00"',
    "notify": 'notify = "slack:#bi"',
    "name": 'name = "Finance refresh failures"',
    "on": 'on = ["WorkbookRefreshFailed", "DatasourceRefreshFailed"]',
}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error: its place (`rule 2 "Finance" (line 14)`), what is wrong, and what is expected."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class RulesError(Exception):
    """The rules file is invalid; `errors` holds everything that is wrong with it.

    The message also contains the warnings, so that one look at it is enough to correct the file.
    """

    def __init__(self, source: str, errors: Sequence[Diagnostic], warnings: Sequence[str] = ()) -> None:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        lines = [f"{source} has {count}:", *map(str, errors), *(f"warning: {warning}" for warning in warnings)]
        super().__init__("\n  ".join(lines))
        self.source = source
        self.errors = tuple(errors)

    @property
    def in_one_line(self) -> str:
        """The file and all errors in one line, for the log."""
        return f"{self.source}: {'; '.join(map(str, self.errors))}"


class InvalidValue(ValueError):
    """A part of the file is invalid; each of `messages` is an error."""

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


def validate(model: type[Model], table: Mapping[str, Any]) -> Model:
    """Return the table as a `model`. Raises InvalidValue."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise InvalidValue(*describe_toml(error, model.model_fields, EXAMPLES)) from None
