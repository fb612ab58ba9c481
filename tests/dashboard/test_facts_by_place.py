"""One bad morning in all places: each names the facts that it claims to show, in the same words."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

from flask.testing import FlaskClient

from notifiers.message import plain_text
from tests.dashboard.conftest import fail, services_of
from tests.support.databases import NOTIFY, some_event
from webhooks.clock import utc_now
from webhooks.event_types import WEBHOOKS_DRIFTED
from webhooks.handlers.notice import details_of
from webhooks.inbox import Inbox
from webhooks.inbox.server.webhook_checks import CHECKED_AT
from webhooks.incidents import Act, DestinationPolicy, Policy
from webhooks.messages.digest_message import digest_message
from webhooks.messages.group_message import Member, group_message
from webhooks.views.silence_wording import in_force

# In the words of people.
FACTS = {
    "open": "Month End Close",
    "acknowledged": "acknowledged by Ann",
    "note": "waiting for the DBA",
    "snoozed": "snoozed by Ben until",
    "silenced": "silenced by Chloe until",
    "silence": "(silence 1)",
    "notified": "notified #finance",
    "webhooks": "1 webhook needs attention",
    "outage": "Slack: no message accepted since",
    "dead letters": "1 dead letter",
}
JSON = {
    "acknowledged": '"acknowledged_by": "Ann"',
    "snoozed": '"acknowledged_by": "Ben"',
    "silenced": '"by": "Chloe", "until": "2',
    "silence": '"silence": {"id": 1,',
    "notified": '"destination": "slack:#finance"',
    "outage": '{"service": "Slack", "since": "2',
    "dead letters": '"dead_letters": 1',
}
OF_SERVER: Mapping[str, None] = dict.fromkeys(("webhooks", "outage", "dead letters"))
# A cell of a table is too short for the number of the silence.
TABLE: Mapping[str, str | None] = {"note": None, "notified": None, "silence": None, **OF_SERVER}
# By place: what it says instead of the words above, None for a fact that it does not claim to show.
PLACES: Mapping[str, Mapping[str, str | None]] = {
    "page /": {"outage": "Slack no message accepted since", "dead letters": "dead letters 1"},
    "page /incidents": {"note": None, "notified": None, "webhooks": "1 webhook", **OF_SERVER},
    "flask status": {},
    "flask status --json": JSON,
    "GET /api/v1/status": JSON,
    "GET /api/v1/incidents": {**JSON, **OF_SERVER},
    "agents": {
        "silenced": '"silenced":"by Chloe until',
        "notified": '"notified":["#finance"]',
        "dead letters": '"dead_letters":1',
    },
    "digest": TABLE,
    "table of a storm": TABLE,
    "/metrics": {
        "open": 'incidents{kind="failing",state="open"} 2.0',
        "acknowledged": 'incidents{kind="failing",state="acknowledged"} 1.0',
        "note": None,
        "snoozed": 'incidents{kind="failing",state="snoozed"} 1.0',
        "silenced": "incidents_silenced 1.0",
        "silence": None,
        "notified": None,
        "webhooks": "webhooks_needing_attention 1.0",
        "outage": "services_unavailable 1.0",
        "dead letters": 'jobs{state="dead"} 1.0',
    },
}


def bad_morning(inbox: Inbox) -> None:
    """Store four failures of which three are looked at or silenced, an outage, a dead letter, and a missing webhook."""
    now = utc_now()
    first, second, third, _ = (fail(inbox, name) for name in ("Month End Close", "Web Sessions", "Stock", "Returns"))
    policy = Policy(rule="Finance", destinations=(DestinationPolicy("slack:#finance"),))
    notice = inbox.notices.register(first.id, "slack:#finance", policy)
    inbox.notices.save(notice, posted={"message": {"channel": "C1", "id": "1.2"}}, shown={"message": 1})
    inbox.incidents.act(second.id, Act("", "acknowledge", "", now, "Ann", None, "waiting for the DBA"))
    inbox.incidents.act(third.id, Act("", "snooze", "", now, "Ben", now + timedelta(hours=3)))
    silenced: Any = {"matchers": {"resource_name": ["Returns"]}, "reason": "migration"}
    inbox.silences.add(**silenced, start=now, end=now + timedelta(hours=2), by="Chloe")
    for number in range(3):
        inbox.events.receive(some_event(number))
    inbox.events.plan(lambda _: [NOTIFY])
    dead, *waiting = inbox.jobs.claim("a worker", 3, 30.0)
    inbox.dead_letters.dead_letter(dead, "channel_not_found")
    for job in waiting:
        inbox.outages.postpone("slack", job, 30, "Slack: status 503", free=False)
    inbox.state.set(CHECKED_AT, now.timestamp())
    inbox.state.set(WEBHOOKS_DRIFTED, ["WorkbookRefreshFailed create is missing"])


def messages(inbox: Inbox) -> dict[str, str]:
    """Return the digest and the message about all incidents."""
    records, now = inbox.incidents.list(), utc_now()
    silences = in_force(inbox.silences.since(now), records, lambda _: "", now)
    members = [Member(one.incident, details_of(one, "", silence=silences.get(one.id))) for one in records]
    digest = digest_message(members, since=now - timedelta(days=1), outcomes={}, zone=UTC)
    return {"digest": plain_text(digest), "table of a storm": plain_text(group_message(members, zone=UTC))}


def test_each_place_has_the_facts_that_it_claims(client: FlaskClient, inbox: Inbox) -> None:
    """A person who looks at one place only is not told less, nor in other words."""
    bad_morning(inbox)
    services_of(client).notifiers["slack"]
    command = client.application.test_cli_runner()
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whats_wrong"}}
    texts = messages(inbox)
    for place in PLACES:
        kind, _, rest = place.partition(" ")
        if kind == "page":
            texts[place] = html.unescape(re.sub(r"<[^>]+>", " ", client.get(rest).text))
        elif kind == "GET":
            texts[place] = client.get(rest).text
        elif kind == "flask":
            texts[place] = command.invoke(args=rest.split()).output
        elif kind == "agents":
            texts[place] = client.post("/mcp", json=asked).get_json()["result"]["content"][0]["text"]
        elif kind == "/metrics":
            texts[place] = client.get("/metrics").text
    lacking = []
    for place, words in PLACES.items():
        shown = " ".join(texts[place].split()).lower()
        wanted = {fact: words.get(fact, usual) for fact, usual in FACTS.items()}
        lacking += [f"{place}: {text}" for text in wanted.values() if text and text.lower() not in shown]
    assert not lacking, "\n".join(lacking)
