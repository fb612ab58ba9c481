"""The page behind a signed link in a message that several incidents share: it lists them, and its form acts on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from werkzeug.exceptions import BadRequest, NotFound

from webhooks.dashboard.link_author import INVALID, author, author_of
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.inbox import IncidentRecord
from webhooks.inbox.inbound.presses import CHANGED_IN_GROUP
from webhooks.messages.act_links import ActLink
from webhooks.text import count
from webhooks.views.silence_wording import in_force


def show(visit: Visit, link: ActLink) -> Page:
    """Show the incidents of the message, those that the link changes as selected. Raises NotFound."""
    return _page(visit, link, _members(visit, link))


def act(visit: Visit, link: ActLink) -> Page:
    """Act on the selected incidents, and show the outcome. Raises BadRequest and NotFound.

    Incidents that have joined the message since the page was shown are not changed: the person has not seen them.
    """
    members = _members(visit, link)
    if not _changeable(link, members):
        return _page(visit, link, members)
    chosen = set(visit.request.form.getlist("id"))
    if not chosen:
        raise BadRequest("No incident is selected. Go back and select at least one.")
    theirs = {record.id for record in members if str(record.id) in chosen}
    new, origin = link.act(author(visit, link), visit.now), f"link {link.destination}"
    changed = visit.services.inbox.presses.act_together(link.number, theirs, new, origin=origin)
    if not changed:
        # Someone else was faster.
        return _page(visit, link, _members(visit, link))
    return _page(visit, link, members, changed=changed)


def _members(visit: Visit, link: ActLink) -> list[IncidentRecord]:
    groups = visit.services.inbox.notice_groups
    group = groups.get(link.number)
    if group is None or group.name != link.subject:
        raise NotFound(INVALID)
    members = [record for _, record in groups.members(group.id)]
    return sorted(members, key=lambda record: record.incident.state not in CHANGED_IN_GROUP[link.action])


def _changeable(link: ActLink, members: Sequence[IncidentRecord]) -> set[int]:
    return {record.id for record in members if record.incident.state in CHANGED_IN_GROUP[link.action]}


def _page(visit: Visit, link: ActLink, members: Sequence[IncidentRecord], *, changed: int = 0) -> Page:
    states = Counter(record.incident.state for record in members)
    summary = ", ".join(f"{number} {state}" for state, number in states.most_common())
    values = {
        "link": link,
        "name": count(len(members), "incident"),
        "summary": summary,
        "members": members,
        "silenced": in_force(visit.services.inbox.silences.since(visit.now), members, visit.site_name, visit.now),
        "changeable": _changeable(link, members),
        "author": author_of(link.destination),
        "changed": count(changed, "incident") if changed else "",
    }
    return Page("group_link.html", values)
