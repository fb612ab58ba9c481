"""Destinations that depend on the event, such as `slack:#{{ resource.project | slug }}`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from notifiers import KINDS
from webhooks.destinations import ROUTES, normalize
from webhooks.messages.templates import check_template, is_jinja, names_of, render

EXAMPLE = "slack:#{{ resource.project | slug }}"
# What is known before anything is looked up about the run or the incident.
KNOWN = ("name", "event_type", "project", "owner", "event", "resource")


def check_destination(text: str) -> str:
    """Return a destination in its canonical spelling, a template of one, or `routes`. Raises ValueError."""
    if text.strip() == ROUTES:
        return ROUTES
    if not is_jinja(text):
        return normalize(text)
    kind = text.partition(":")[0].strip()
    if kind not in KINDS:
        raise ValueError(f"{text!r} does not begin with one of {', '.join(KINDS)}; write for example {EXAMPLE}")
    check_template(text)
    if unknown := sorted(names_of(text) - set(KNOWN)):
        raise ValueError(f"a destination cannot depend on {unknown[0]}, only on {', '.join(KNOWN)}")
    return text.strip()


def resolve_destination(text: str, values: Mapping[str, Any]) -> str:
    """Return the destination that a template means. Raises ValueError if a value in it is absent."""
    return normalize(render(text, _present(values)))


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without those that are empty: without its project, content has no channel of its project."""
    return {
        name: _present(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value not in ("", (), None)
    }


RuleDestination = Annotated[str, AfterValidator(check_destination)]
