"""The steps that let every destination show what is wanted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from webhooks.incidents.incident import has_new_acts
from webhooks.incidents.notices import MESSAGE, WantedNotice
from webhooks.incidents.policy import URGENCIES, Urgency


@dataclass(frozen=True, slots=True)
class Delivery:
    """One step at a destination: post the message, edit it, or reply in its thread.

    `covers` are the keys of replies that a first message makes unnecessary, because it shows all of it; record them as
    sent.
    """

    notice: WantedNotice
    action: Literal["post", "edit", "reply"]
    urgency: Urgency
    covers: tuple[str, ...] = ()


def deliveries(wanted: Iterable[WantedNotice], shown: Mapping[tuple[str, str], int]) -> list[Delivery]:
    """Return what is to be sent so that every destination shows what is wanted, the most urgent first.

    `shown` maps destination and key to the version that was sent last. Held notices are left out. Edits are coalesced:
    only the wanted version counts, never those between it and the one that is shown. An escalation that was not sent
    before the incident closed is not sent.
    """
    ready = [notice for notice in wanted if notice.held_until is None]
    replies = [notice for notice in ready if notice.form == "thread"]
    found = []
    for notice in ready:
        if notice.form == "thread":
            continue
        to, version = notice.destination, shown.get((notice.destination, MESSAGE))
        if version is None and not (notice.escalation and notice.urgency == "close"):
            urgency: Urgency = "open" if notice.urgency == "acknowledge" else notice.urgency
            covers = tuple(reply.key for reply in replies if reply.destination == to)
            found.append(Delivery(notice, "post", urgency, covers))
        elif version is not None and version != notice.version:
            # A person waits for an act to be shown, while a change of counts may be a few seconds late.
            of_open: Urgency = "acknowledge" if has_new_acts(notice.version, version) else "count"
            urgency = of_open if notice.urgency in {"open", "escalation"} else notice.urgency
            found.append(Delivery(notice, "edit", urgency))
    notified = {to for to, key in shown if key == MESSAGE} | {one.notice.destination for one in found}
    for reply in replies:
        is_new = (reply.destination, MESSAGE) in shown and (reply.destination, reply.key) not in shown
        if is_new and (not reply.about or reply.about in notified):
            found.append(Delivery(reply, "reply", reply.urgency))
    return sorted(found, key=lambda one: (URGENCIES.index(one.urgency), one.notice.due_at, one.notice.destination))
