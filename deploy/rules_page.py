"""Write docs/rules-reference.md from the models of the rules file: `python -m deploy.rules_page`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from webhooks.registry import registry
from webhooks.rules.access import Access, SignInRole
from webhooks.rules.digest import DigestModel
from webhooks.rules.file import DeadLettersModel
from webhooks.rules.rule_table import NOTIFY, RuleModel
from webhooks.rules.watches import WatchModel

PAGE = Path(__file__).parents[1] / "docs" / "rules-reference.md"
HEAD = """\
<!-- Written by `python -m deploy.rules_page` from the models of the rules file. -->
# Keys of the rules file

The keys of `rules.toml`, with their defaults and meanings. [Rules](rules.md) explains them with examples, and lists the
conditions, destinations and event types, and the sections `[defaults]`, `[destinations]`, `[routes]` and `include`.
"""
TABLE = "| key | value | default | meaning |\n|---|---|---|---|\n"
# Keys that the server fills in.
INTERNAL = {"routes"}
SECTIONS: dict[str, tuple[type[BaseModel], str]] = {
    "[[rule]]": (RuleModel, "A rule. It also has one or more of the actions below."),
    "[[watch]]": (
        WatchModel,
        "When content must be fresh, or how long its refresh may take. Without the action `notify`, the rules apply.",
    ),
    "[digest]": (DigestModel, "A daily summary of all incidents."),
    "[dead_letters]": (DeadLettersModel, "Where failed deliveries and problems of the server are reported."),
    "[access]": (Access, "Permissions of people in Slack, by SMS and on the pages."),
    "[[access.roles]]": (
        SignInRole,
        "The role of people who sign in with an identity provider. It needs `groups` or `people`.",
    ),
}


def page() -> str:
    """Return the text of the page."""
    registry.load()
    shared = registry.actions[NOTIFY].model_fields
    parts = [HEAD]
    for title, (model, words) in SECTIONS.items():
        parts.append(f"\n## {title}\n\n{words}\n\n{TABLE}{rows(model, shared)}")
    parts.append(
        "\n## Actions\n\nEach action is a key of a rule. "
        "One without required keys can be written as `true`: `refresh = true`.\n"
    )
    for name, model in sorted(registry.actions.items()):
        parts.append(f"\n### {name}\n\n{TABLE}{rows(model)}")
    return "".join(parts)


def rows(model: type[BaseModel], shared: Mapping[str, FieldInfo] | None = None) -> str:
    """Return a row for each key; keys without a description are those of `notify`, in `shared`."""
    found = []
    for name, field in model.model_fields.items():
        if name in INTERNAL:
            continue
        described = field if field.description else (shared or {})[name]
        meaning = described.description or ""
        if described is not field:
            meaning = f"for all destinations of `notify`: {meaning}"
        default = "required" if field.is_required() else default_of(field)
        found.append(
            f"| `{name}` | {values(described)} | {default} | {meaning[0].upper()}{meaning[1:]} |\n".replace("  ", " ")
        )
    return "".join(found)


def values(field: FieldInfo) -> str:
    """Return what may be written: the permitted values, or examples."""
    limits = {key: getattr(rule, key) for rule in field.metadata for key in ("ge", "le") if hasattr(rule, key)}
    kinds = set(_kinds(field.annotation))
    choices = [one for kind in kinds if get_origin(kind) is Literal for one in get_args(kind)]
    if shown := examples(field):
        return ", ".join(f"`{_toml(one)}`" for one in shown)
    if choices:
        return " or ".join(f"`{_toml(one)}`" for one in choices)
    if bool in kinds:
        return "`true` or `false`"
    if int in kinds:
        return f"{limits['ge']} to {limits['le']}" if len(limits) == 2 else "a number"
    if any(get_origin(kind) is dict for kind in kinds):
        return "a table"
    return "a string" if str in kinds else "tables"


def examples(field: FieldInfo) -> list[Any]:
    """Return the examples of a key, or else those of its type."""
    parts = [field, *(part for part in _kinds(field.annotation) if isinstance(part, FieldInfo))]
    return next((part.examples for part in parts if part.examples), [])


def default_of(field: FieldInfo) -> str:
    """Return the default as it would be written in the file; empty if it is nothing."""
    value = field.default
    if isinstance(value, tuple) and len(value) == 1:
        (value,) = value
    return f"`{_toml(value)}`" if isinstance(value, (str, int)) and value != "" else ""


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the types in an annotation: those of a union, without what validates them."""
    yield annotation
    for part in get_args(annotation):
        if get_origin(annotation) is not Literal:
            yield from _kinds(part)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if key.replace("_", "").isalnum() else json.dumps(key)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
