"""Compare the webhooks present in Tableau with the desired ones: what to create, update, enable and delete. Pure.

Our webhooks are recognized by their names, `<label> <event type>`. The name is stored in Tableau, so a run that was
killed half-way leaves nothing that the next run does not find. All other webhooks are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tableau_rest.models import Webhook
from webhooks.webhook_url import mask_url

EVENT_TYPE = re.compile(r"[A-Z][A-Za-z]+")


class ChangeKind(StrEnum):
    """The kinds of changes to a webhook."""

    CREATE = "create"
    UPDATE = "update"
    ENABLE = "enable"
    DELETE = "delete"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Change:
    """A change to one webhook, and its reason, which completes the sentence "The webhook …".

    `name` and `url` are those after the change. `webhook` is the present one, or None if there is none yet.
    """

    kind: ChangeKind
    event_type: str
    name: str
    url: str = field(repr=False)
    webhook: Webhook | None = None
    reason: str = ""


def is_ours(webhook: Webhook, label: str) -> bool:
    """Return whether this server created the webhook: its name is the label, a space, and an event type."""
    prefix, _, event_type = webhook.name.rpartition(" ")
    return prefix == label and EVENT_TYPE.fullmatch(event_type) is not None


def compare(present: Iterable[Webhook], desired: Sequence[str], *, url: str, label: str) -> list[Change]:
    """Return the changes that lead to exactly one enabled webhook to `url` for each event type in `desired`.

    After all of them are applied, a second comparison returns only KEEP. Webhooks that are not ours do not appear.
    """
    # The best one of several duplicates comes first; the LUID makes two runs choose the same one.
    ours = sorted(
        (webhook for webhook in present if is_ours(webhook, label)),
        key=lambda webhook: (webhook.url != url, not webhook.is_enabled, webhook.luid),
    )
    changes = []
    for event_type in desired:
        candidates = [webhook for webhook in ours if webhook.event == event_type]
        changes.append(_correct(candidates[0] if candidates else None, event_type, url, label))
        changes += [_delete(webhook, "duplicates another webhook of this server") for webhook in candidates[1:]]
    unneeded = [webhook for webhook in ours if webhook.event not in desired]
    return changes + [_delete(webhook, "is not needed by any rule or handler") for webhook in unneeded]


def _correct(webhook: Webhook | None, event_type: str, url: str, label: str) -> Change:
    """Return the change that makes the webhook correct; None means a missing webhook."""
    name = f"{label} {event_type}"
    if webhook is None:
        return Change(ChangeKind.CREATE, event_type, name, url, None, "is missing")
    if webhook.url != url:
        old = mask_url(webhook.url)
        reason = "has another token" if old == mask_url(url) else f"points to {old}"
        return Change(ChangeKind.UPDATE, event_type, name, url, webhook, reason)
    if webhook.name != name:
        return Change(ChangeKind.UPDATE, event_type, name, url, webhook, f"is named {webhook.name}")
    if not webhook.is_enabled:
        reason = f"is disabled: {webhook.reason or 'Tableau gives no reason'}"
        return Change(ChangeKind.ENABLE, event_type, name, url, webhook, reason)
    return Change(ChangeKind.KEEP, event_type, name, url, webhook)


def _delete(webhook: Webhook, reason: str) -> Change:
    return Change(ChangeKind.DELETE, webhook.event, webhook.name, webhook.url, webhook, reason)
