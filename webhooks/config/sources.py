"""Read settings from variables: NAME, or the file that NAME_FILE names; report mistakes of shells and editors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from webhooks.config.env_file import CURLY_QUOTES
from webhooks.config.environment import from_root
from webhooks.config.text_file import QUOTED, invisible_character, read_secret

COMMENT = re.compile(r"\s#")


@dataclass(frozen=True, slots=True)
class Invalid:
    """A value that cannot be used; the message completes the sentence "NAME: …" and contains no value."""

    message: str


def read_variables(
    fields: Mapping[str, FieldInfo], variables: Mapping[str, str], *, is_parsed: bool
) -> dict[str, str | Invalid]:
    """Return the values of the fields that `variables` contain; their names are those of the fields, in any case.

    NAME_FILE names a file that contains the value; NAME overrides it. Empty variables are ignored. `is_parsed` says
    that quotation marks and comments have already been removed, as from the env file.
    """
    given = {name.lower(): value.strip() for name, value in variables.items() if value.strip()}
    values: dict[str, str | Invalid] = {}
    for field_name, field in fields.items():
        names = variable_names(field, field_name)
        name = next((name for name in [*names, *(f"{name}_file" for name in names)] if name in given), None)
        if name is None:
            continue
        value = given[name]
        if name not in names:
            path = from_root(Path(value))
            try:
                values[field_name] = read_secret(path)
            except OSError as error:
                values[field_name] = Invalid(f"{name.upper()} names {path}, which cannot be read: {error.strerror}")
            except ValueError as error:
                values[field_name] = Invalid(f"{name.upper()} names {path}, which {error}")
        elif value.lower().startswith(f"{name}="):
            values[field_name] = Invalid("begins with the name of the variable once more; write only the value")
        # docker run --env-file passes the rest of a line on unchanged,
        # https://docs.docker.com/reference/cli/docker/container/run/#env
        elif not is_parsed and QUOTED.fullmatch(value):
            values[field_name] = Invalid("is in quotation marks; remove them, because docker --env-file does not")
        elif not is_parsed and value[0] in CURLY_QUOTES and value[-1] in CURLY_QUOTES:
            values[field_name] = Invalid("is in typographic quotation marks; remove them")
        elif not is_parsed and COMMENT.search(value):
            values[field_name] = Invalid("is followed by a comment; remove it, because docker --env-file does not")
        else:
            problem = invisible_character(value)
            values[field_name] = Invalid(problem) if problem else value
    return values


def variable_names(field: FieldInfo, field_name: str) -> list[str]:
    """Return the names of the field's variables, in lower case."""
    alias = field.validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [field_name]
