"""The settings of the notifiers: a field for each variable that a notifier declares in its own folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, create_model

from notifiers import kinds

# The type and the description of each field, whose name is that of the variable in lower case.
FIELDS: dict[str, Any] = {}
for _variable in kinds.variables():
    _type = SecretStr if _variable.secret else str
    FIELDS[_variable.name.lower()] = (_type, Field(_type(_variable.default), description=_variable.description))


class _Unused(BaseModel):
    """A model that is only inherited from: its validation is not built, which would take a tenth of the import."""

    model_config = ConfigDict(defer_build=True)


if TYPE_CHECKING:

    class _Fields(_Unused):
        """The declared fields, which the type checker cannot see."""
else:
    _Fields = create_model("_Fields", __base__=_Unused, **FIELDS)


class NotifierSettings(_Fields):
    """The variables of all notifiers."""

    def notifier_variables(self) -> dict[str, str]:
        """Return the values of the notifiers' variables by name, secrets in clear text."""
        values = {variable.name: getattr(self, variable.name.lower()) for variable in kinds.variables()}
        return {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in values.items()
        }
