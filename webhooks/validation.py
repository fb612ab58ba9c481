"""Turn pydantic's validation errors into sentences that say what is wrong and what is expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from webhooks.spelling import hint

# What is wrong, by pydantic's type of the error, https://docs.pydantic.dev/latest/errors/validation_errors/.
# Validators of this project word their own messages.
PROBLEMS: Mapping[str, str] = {
    "string_type": "should be text",
    "string_too_short": "is empty or too short (at least {min_length})",
    "string_too_long": "is too long (at most {max_length})",
    **dict.fromkeys(("bool_type", "bool_parsing"), "should be true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "should be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "should be a number"),
    **dict.fromkeys(("tuple_type", "list_type", "set_type"), "should be a list"),
    **dict.fromkeys(("dict_type", "model_type"), "should be a table"),
    **dict.fromkeys(("literal_error", "enum"), "should be {expected}"),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing"), "should be a date, such as 2027-03-31"
    ),
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be {ge} or more",
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be {le} or less",
    "too_short": "should name {min_length} or more",
    "too_long": "should name {max_length} or less",
}

# How the expected value is written in TOML, where that differs from what people often write.
IN_TOML: Mapping[str, str] = {
    "should be text": " in quotes",
    "should be true or false": ", without quotes",
    "should be a whole number": ", without quotes",
    "should be a number": ", without quotes",
    "should be a list": ', such as ["one", "two"]',
    "should be a table": ", such as {{ key = 1 }}",
}

# Characters of an invalid value that are shown.
MAX_SHOWN = 60


def describe_toml(
    error: ValidationError, known: Iterable[str], examples: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Return a sentence for each error in a table of a TOML file, with the invalid value.

    `known` are the keys that the table may have; `examples` show what a missing key could look like.
    """
    sentences = []
    for one in error.errors(include_url=False):
        # A number in the location counts from 0; the value itself says which item is meant.
        name = ".".join(part for part in one["loc"] if isinstance(part, str))
        problem = PROBLEMS.get(one["type"])
        if one["type"] == "missing":
            example = f"; for example {examples[name]}" if examples and name in examples else ""
            sentences.append(f"{name} is missing{example}")
        elif one["type"] == "extra_forbidden":
            # `known` are the keys of the table itself, not those of a table within it.
            advice = "" if "." in name else f"; {hint(name, known)}"
            sentences.append(f"{name} is not known here{advice}")
        elif problem is None:
            sentences.append(f"{name}: {_own_message(one)}")
        else:
            value = json.dumps(one["input"], ensure_ascii=False, default=str)
            shown = value if len(value) <= MAX_SHOWN else f"{value[: MAX_SHOWN - 1]}…"
            sentences.append(f"{name}: {shown} {_fill(problem + IN_TOML.get(problem, ''), one)}")
    return tuple(sentences)


def describe_values(error: ValidationError, name: Callable[[str], str] = str) -> tuple[str, ...]:
    """Return a sentence for each error, without the invalid value, which may be a secret.

    `name` turns a field's name into the name that people know it by.
    """
    sentences = []
    for one in error.errors(include_url=False, include_input=False):
        field = name(".".join(map(str, one["loc"])))
        problem = PROBLEMS.get(one["type"])
        if one["type"] == "missing":
            sentences.append(f"{field} is missing")
        elif one["type"] == "extra_forbidden":
            sentences.append(f"{field} is not known")
        else:
            sentences.append(f"{field}: {_own_message(one) if problem is None else _fill(problem, one)}")
    return tuple(sentences)


def _fill(problem: str, error: ErrorDetails) -> str:
    context: Mapping[str, Any] = error.get("ctx", {})
    return problem.format_map(context)


def _own_message(error: ErrorDetails) -> str:
    return error["msg"].removeprefix("Value error, ").replace("Input should", "should")
