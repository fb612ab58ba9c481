"""The digest action: list the incidents that are open, and those that closed since the last digest."""

from __future__ import annotations

from datetime import timedelta

from webhooks.clock import parse_time
from webhooks.context import Context
from webhooks.destinations import Destination
from webhooks.handlers.notice import details_of, silence_of
from webhooks.incidents import IncidentFilter
from webhooks.job import DIGEST
from webhooks.messages.digest_message import digest_message
from webhooks.messages.group_message import Member
from webhooks.registry import Params, action

# Incidents in one digest; the others are counted.
MAX_INCIDENTS = 1000
DAY = timedelta(days=1)


class DigestParams(Params):
    """The destination of the digest."""

    to: Destination


@action(DIGEST, params=DigestParams, in_rules=False)
def digest(context: Context, params: DigestParams) -> None:
    """Send one message about all incidents; the event has the time of the digest before."""
    since = parse_time(context.event.payload.get("text")) or context.now() - DAY
    records = context.inbox.incidents.list(IncidentFilter(since=since), limit=MAX_INCIDENTS + 1)
    links_url = context.settings.links_url
    silences = context.inbox.silences.list(context.now())
    members = [
        Member(record.incident, details_of(record, "", links_url, silence_of(context, record, silences)))
        for record in records
    ]
    message = digest_message(
        members,
        since=since,
        outcomes=context.inbox.runs.outcomes_since(since),
        complete=len(members) <= MAX_INCIDENTS,
        zone=context.settings.zone,
        page=f"{links_url}/incidents" if links_url else "",
    )
    context.notify(params.to, message, key=params.to, site=False)
