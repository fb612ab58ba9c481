"""The errors of a rules file, worded for the person who wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from webhooks.rules.positions import Path
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
    """One error or warning: its place (`rule 2 "Finance" (line 14)`), what is wrong, and what is expected.

    `file` is the name of an included file, empty for the rules file; `line` is 0 if it is unknown.
    """

    place: str
    message: str
    file: str = ""
    line: int = 0

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


@dataclass(frozen=True, slots=True)
class Problem:
    """An error about the value at `path` within a part of the file."""

    text: str
    path: Path = ()


class InvalidValue(ValueError):
    """A part of the file is invalid; `problems` are all of its errors."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(one if isinstance(one, Problem) else Problem(one) for one in problems)
        super().__init__("; ".join(self.messages))

    @property
    def messages(self) -> tuple[str, ...]:
        """The problems without their places."""
        return tuple(one.text for one in self.problems)

    def within(self, name: str, *path: str | int) -> InvalidValue:
        """Return the error of the whole of which this part is called `name` and is at `path`."""
        return InvalidValue(*(Problem(f"{name}: {one.text}", (*path, *one.path)) for one in self.problems))


def validate(model: type[Model], table: Mapping[str, Any]) -> Model:
    """Return the table as a `model`. Raises InvalidValue."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        problems: list[Problem] = []
        sentences = describe_toml(error, model.model_fields, EXAMPLES)
        for one, sentence in zip(error.errors(include_url=False), sentences, strict=True):
            cause = one.get("ctx", {}).get("error")
            if isinstance(cause, InvalidValue):
                problems += cause.within(str(one["loc"][0]), *one["loc"]).problems
            else:
                problems.append(Problem(sentence, one["loc"]))
        raise InvalidValue(*problems) from None
