"""Declarations of settings: each notifier declares its variables once, as the fields of its config.

The application reads the variables, masks the secret ones and documents them all from these declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

METADATA = "variable"


@dataclass(frozen=True)
class Variable:
    """An environment variable, with one line on its purpose for the documentation."""

    name: str
    description: str
    default: str = ""
    secret: bool = False
    required: bool = False


def variable(name: str, description: str, *, default: str = "", secret: bool = False, required: bool = False) -> Any:
    """Return the field of a config whose value comes from the environment variable `name`."""
    declared = Variable(name, description, default, secret, required)
    return field(default=default, repr=not secret, metadata={METADATA: declared})


@dataclass(frozen=True)
class Config:
    """The settings of one notifier. Subclasses are frozen dataclasses whose fields are made by `variable`."""

    # The variable that holds the address for a destination without one. Empty where a notifier needs no address.
    address_variable: ClassVar[str] = ""

    @classmethod
    def variables(cls) -> tuple[Variable, ...]:
        """Return the declared variables."""
        return tuple(one.metadata[METADATA] for one in fields(cls) if METADATA in one.metadata)

    @classmethod
    def from_variables(cls, values: Mapping[str, str]) -> Self:
        """Return the config with the values of its variables; absent and empty ones have their default."""
        named = {one.name: one.metadata[METADATA] for one in fields(cls) if METADATA in one.metadata}
        return cls(**{name: values.get(declared.name) or declared.default for name, declared in named.items()})

    def value(self, name: str) -> str:
        """Return the value of the variable `name`; empty if it is not set or not declared."""
        attributes = {one.metadata[METADATA].name: one.name for one in fields(self) if METADATA in one.metadata}
        return (getattr(self, attributes[name]) or "") if name in attributes else ""

    def missing(self) -> list[str]:
        """Return the names of the required variables that are not set."""
        return [declared.name for declared in self.variables() if declared.required and not self.value(declared.name)]

    @property
    def is_complete(self) -> bool:
        """True if every required variable is set."""
        return not self.missing()

    @property
    def default_address(self) -> str:
        """The address for a destination without one; empty if there is none."""
        return self.value(self.address_variable)

    @property
    def has_default_address(self) -> bool:
        """True if the notifier is configured and can deliver to a destination without an address."""
        return self.is_complete and (not self.address_variable or bool(self.default_address))

    def address_problem(self, address: str) -> str:  # noqa: ARG002 - for configs that list all addresses
        """Return why a destination with this address cannot be notified, as far as the settings say; else empty."""
        return ""

    def service_urls(self) -> list[str]:
        """Return the URLs of the services that get the messages; an empty one means an unknown service."""
        return [""]

    def secrets(self) -> list[str]:
        """Return every text that must be masked wherever it could be shown."""
        values = (self.value(declared.name) for declared in self.variables() if declared.secret)
        return [value for value in values if value]
