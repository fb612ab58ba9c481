"""What is wrong with a rules file, said so that the person who wrote it can mend it."""

from __future__ import annotations

import json
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

WORDS = {
    "string_type": "should be text in quotes",
    "string_too_short": "is empty or too short (at least {min_length})",
    "string_too_long": "is too long (at most {max_length})",
    **dict.fromkeys(("bool_type", "bool_parsing"), "should be true or false, without quotes"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "should be a whole number, without quotes"),
    **dict.fromkeys(("float_type", "float_parsing"), "should be a number, without quotes"),
    **dict.fromkeys(("tuple_type", "list_type", "set_type"), 'should be a list, such as ["one", "two"]'),
    **dict.fromkeys(("dict_type", "model_type"), "should be a table, such as {{ key = 1 }}"),
    **dict.fromkeys(("literal_error", "enum"), "should be {expected}"),
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be {ge} or more",
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be {le} or less",
    "too_short": "should name {min_length} or more",
    "too_long": "should name {max_length} or less",
}
"""What would have been right, by pydantic's word for the fault,
https://docs.pydantic.dev/latest/errors/validation_errors/; those of our own say it themselves."""

LONGEST = 60
"""Characters of a wrong value that are shown."""


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
        raise InvalidValue(*(_sentence(one, model) for one in error.errors(include_url=False))) from None


def _sentence(error: Mapping[str, Any], model: type[BaseModel]) -> str:
    # A number in it counts from 0, and the value says as well which one is meant.
    name = ".".join(part for part in error["loc"] if isinstance(part, str))
    if error["type"] == "missing":
        example = EXAMPLES.get(name)
        return f"{name} is missing" + (f"; for example {example}" if example else "")
    if error["type"] == "extra_forbidden":
        return f"{name} is not known here; {hint(name, model.model_fields)}"
    words = WORDS.get(error["type"])
    if words:
        return f"{name}: {_shown(error['input'])} {words.format_map(error.get('ctx', {}))}"
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return f"{name}: {message}"


def _shown(value: object) -> str:
    """The value as the file has it, or nearly so."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
