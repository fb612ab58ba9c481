"""Compares the webhooks that are there with those that are wanted: what to create, change, switch on and delete. Pure.

Ours are known by their names, `<label> <event type>`: the name is at Tableau's side and survives whatever happens to
us, so a run that was killed half-way leaves nothing that the next one does not find. Everything else is somebody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tableau_rest.models import Webhook
from webhooks.webhook_url import mask_url

EVENT_NAME = re.compile(r"[A-Z][A-Za-z]+")


class ChangeKind(StrEnum):
    """What becomes of a webhook."""

    CREATE = "create"
    UPDATE = "update"
    ENABLE = "enable"
    DELETE = "delete"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to do, and why. `webhook` is the one that is there; None where there is none yet."""

    kind: ChangeKind
    event_type: str
    name: str
    url: str = field(repr=False)
    webhook: Webhook | None = None
    reason: str = ""


def is_ours(webhook: Webhook, label: str) -> bool:
    """Whether the name is one that we give: the label, a blank, and an event type."""
    start, _, event = webhook.name.rpartition(" ")
    return start == label and EVENT_NAME.fullmatch(event) is not None


def compare(there: Iterable[Webhook], wanted: Sequence[str], *, url: str, label: str) -> list[Change]:
    """What to do so that there is exactly one enabled webhook of ours to `url` for each event type in `wanted`.

    Carried out whole, a second plan only keeps. Webhooks of other people do not appear in it.
    """
    ours = sorted((one for one in there if is_ours(one, label)), key=lambda one: _rank(one, url))
    steps: list[Change] = []
    for event in wanted:
        of_event = [one for one in ours if one.event == event]
        steps.append(_settle(of_event[0] if of_event else None, event, url=url, label=label))
        steps += [_delete(one, "a twin of another one of ours") for one in of_event[1:]]
    steps += [_delete(one, "no rule or handler needs it") for one in ours if one.event not in wanted]
    return steps


def _rank(webhook: Webhook, url: str) -> tuple[bool, bool, str]:
    """Of twins the one that is right already stays; and always the same one, so that two runs agree."""
    return webhook.url != url, not webhook.is_enabled, webhook.luid


def _settle(found: Webhook | None, event: str, *, url: str, label: str) -> Change:
    name = f"{label} {event}"
    if found is None:
        return Change(ChangeKind.CREATE, event, name, url)
    if found.url != url:
        return Change(ChangeKind.UPDATE, event, name, url, found, _moved(found.url, url))
    if found.name != name:
        return Change(ChangeKind.UPDATE, event, name, url, found, f"it is called {found.name}")
    if not found.is_enabled:
        return Change(
            ChangeKind.ENABLE, event, name, url, found, f"it is switched off: {found.reason or 'no reason given'}"
        )
    return Change(ChangeKind.KEEP, event, name, url, found)


def _delete(webhook: Webhook, why: str) -> Change:
    return Change(ChangeKind.DELETE, webhook.event, webhook.name, webhook.url, webhook, why)


def _moved(old: str, new: str) -> str:
    if mask_url(old) == mask_url(new):
        return "it has another token"
    return f"it points to {mask_url(old)}"
