"""The base of all models: how their fields are read from Tableau's JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Self

from tableau_rest.protocol.fields import Data, boolean, child, integer, tags, text, timestamp

# The name of a field in JSON, the path to it, or a function that reads it from the model's object.
Source = str | tuple[str, ...] | Callable[[Data], Any]


@dataclass(frozen=True)
class Model:
    """A frozen dataclass that is read from JSON, field by field.

    A field is read by its type, under its own name in camel case (`luid` under `id`); what differs is in `JSON`. A
    value that is missing or unreadable leaves the field's default.
    """

    JSON: ClassVar[Mapping[str, Source]] = {}

    @classmethod
    def from_json(cls, data: Data) -> Self:
        """Return the model of a JSON object; never fails, whatever the object contains."""
        found = ((name, read(data)) for name, read in _readers(cls))  # type: ignore[arg-type]
        return cls(**{name: value for name, value in found if value is not None})


@dataclass(frozen=True)
class Reference(Model):
    """A reference to an object: the owner of a workbook, the project of a data source. Its name may be empty."""

    luid: str = ""
    name: str = ""


NO_REFERENCE = Reference()

# Readers by the type of a field, in the notation of the class.
_BY_TYPE: dict[str, Callable[[Data, str], Any]] = {
    "str": text,
    "bool": boolean,
    "bool | None": boolean,
    "int": integer,
    "int | None": integer,
    "datetime | None": timestamp,
    "Reference": lambda data, name: Reference.from_json(child(data, name)),
    "tuple[str, ...]": lambda data, _: tags(data),
}


@cache
def _readers(model: type[Model]) -> tuple[tuple[str, Callable[[Data], Any]], ...]:
    return tuple((field.name, _reader(model, field.name, str(field.type))) for field in fields(model))


def _reader(model: type[Model], name: str, type_name: str) -> Callable[[Data], Any]:
    source = model.JSON.get(name) or ("id" if name == "luid" else _camel_case(name))
    if callable(source):
        return source
    *path, last = (source,) if isinstance(source, str) else source
    read = _BY_TYPE[type_name]
    return (lambda data: read(child(data, *path), last)) if path else (lambda data: read(data, last))


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
