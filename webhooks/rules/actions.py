"""The actions of a rule: from the value of a key such as `notify` to actions with validated parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_origin

from pydantic import BaseModel

from webhooks.rules.errors import InvalidValue, Problem, validate
from webhooks.rules.positions import Path
from webhooks.rules.rule import RuleAction

# The actions that a rule may name, each with the model of its parameters.
Actions = Mapping[str, type[BaseModel]]


def parse_actions(name: str, value: object, model: type[BaseModel]) -> list[RuleAction]:
    """Return the actions that `name = value` asks for. Raises InvalidValue.

    A plain value is that of the model's first field, `true` leaves all fields at their defaults, and `false` asks for
    nothing. A list asks for one action per item, unless the first field itself is a list.
    """
    main = next(iter(model.model_fields), None)
    actions = []
    problems: list[Problem] = []
    try:
        tables = _tables(value, main, model)
    except InvalidValue as error:
        raise error.within(name, name) from None
    for path, table in tables:
        try:
            params = validate(model, table)
        except InvalidValue as error:
            problems += error.within(name, name, *path).problems
            continue
        main_value = getattr(params, main) if main else None
        # A number says how an action is done, not for whom, so it does not distinguish two actions.
        label = ",".join(map(str, main_value)) if isinstance(main_value, list | tuple) else main_value
        params_given = params.model_dump(mode="json", exclude_unset=True)
        actions.append(RuleAction(name, label if isinstance(label, str) else "", params_given))
    if problems:
        raise InvalidValue(*dict.fromkeys(problems))
    return actions


def _tables(value: object, main: str | None, model: type[BaseModel]) -> list[tuple[Path, Mapping[str, Any]]]:
    """Return a table of parameters for each action that `value` asks for, with the place of its values in `value`.

    `main` is the model's first field.
    """
    main_is_list = main is not None and get_origin(model.model_fields[main].annotation) in {list, tuple}
    if isinstance(value, bool):
        return [((), {})] if value else []
    if isinstance(value, Mapping):
        items = value.get(main) if main and not main_is_list else None
        if not isinstance(items, list):
            return [((), value)]
        if not items:
            raise InvalidValue(Problem(f"{main}: an empty list does nothing; remove it, or add a value", (str(main),)))
        return [((), {**value, str(main): item}) for item in items]
    if isinstance(value, list) and not (main_is_list and not any(isinstance(item, Mapping) for item in value)):
        if not value:
            raise InvalidValue("an empty list does nothing; remove it, or add a value")
        return [
            ((number, *path), table) for number, item in enumerate(value) for path, table in _tables(item, main, model)
        ]
    if not main:
        raise InvalidValue("has no parameters; write true")
    return [((), {main: value})]
