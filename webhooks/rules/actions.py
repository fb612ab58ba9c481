"""What a rule does: from the value that stands behind an action's name to steps with checked params."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_origin

from pydantic import BaseModel

from webhooks.rules.errors import InvalidValue, checked
from webhooks.rules.rules import RuleAction

Actions = Mapping[str, type[BaseModel]]
"""The actions that a rule may name, each with the model of its params."""


def plan(action: str, value: object, model: type[BaseModel]) -> list[RuleAction]:
    """The steps that `action = value` asks for; a list means once for each. Raises InvalidValue.

    A plain value stands for the model's first field; `true` asks for nothing in particular, `false` for nothing.
    """
    try:
        return [_step(action, given, model) for given in _spread(value, model)]
    except InvalidValue as fault:
        raise InvalidValue(*(f"{action}: {message}" for message in fault.messages)) from None


def _step(action: str, given: Mapping[str, Any], model: type[BaseModel]) -> RuleAction:
    params = checked(model, given)
    main = _main(model)
    label = _label(getattr(params, main)) if main else ""
    return RuleAction(action, label, params.model_dump(mode="json", exclude_unset=True))


def _spread(value: object, model: type[BaseModel]) -> list[Mapping[str, Any]]:
    if isinstance(value, bool):
        return [{}] if value else []
    if isinstance(value, Mapping):
        return _spread_table(value, model)
    main = _main(model)
    if isinstance(value, list) and not (main and _takes_list(model, main) and not _tables(value)):
        if not value:
            raise InvalidValue("an empty list does nothing; leave it out, or name something")
        return [given for one in value for given in _spread(one, model)]
    if not main:
        raise InvalidValue("has nothing to set; write true")
    return [{main: value}]


def _spread_table(table: Mapping[str, Any], model: type[BaseModel]) -> list[Mapping[str, Any]]:
    """`{ to = ["slack", "twilio"], picture = true }` is one table for each destination."""
    main = _main(model)
    several = table.get(main) if main else None
    if main is None or not isinstance(several, list) or _takes_list(model, main):
        return [table]
    if not several:
        raise InvalidValue(f"{main}: an empty list does nothing; leave it out, or name something")
    return [{**table, main: one} for one in several]


def _main(model: type[BaseModel]) -> str | None:
    return next(iter(model.model_fields), None)


def _takes_list(model: type[BaseModel], name: str) -> bool:
    return get_origin(model.model_fields[name].annotation) in {list, tuple}


def _tables(values: list[Any]) -> bool:
    return any(isinstance(one, Mapping) for one in values)


def _label(value: object) -> str:
    """Texts tell two steps apart; a number only says how."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else ""
