"""Test pages with texts that break programs in every field that people or Tableau fill in."""

from __future__ import annotations

import itertools
import json
import unicodedata
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, update

from tests.dashboard.conftest import SAME_ORIGIN, SITE
from tests.support.naughty_strings import NAUGHTY_STRINGS
from webhooks.clock import utc_now
from webhooks.dashboard.render import visible
from webhooks.inbox import Inbox
from webhooks.inbox.events.tables import events
from webhooks.inbox.incidents.tables import acts, incidents
from webhooks.inbox.jobs.tables import jobs
from webhooks.inbox.resources.tables import resources
from webhooks.inbox.runs.tables import refreshed_content, runs
from webhooks.job import JobState
from webhooks.text import JOINERS

# Names of the same fields that break nothing: the parts of a page are compared with those of a page with these.
CALM = tuple(f"Sales {number}" for number in range(26))
LISTS = ("/", "/incidents", "/resources", "/events", "/dead-letters", "/audit", "/rules", "/webhooks")


class Parsed(HTMLParser):
    """The text of a page, and its elements with the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[tuple[str, ...]] = set()
        self.targets: set[str] = set()
        self.parts: list[str] = []
        self.more: str | None = None
        self.feed(page)
        self.close()
        self.text = "".join(self.parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add((tag, *(name for name, _ in attrs)))
        if ("rel", "next") in attrs:
            self.more = dict(attrs)["href"]
        for name, value in attrs:
            if name in {"href", "src", "action", "formaction", "data"}:
                self.targets.add(value or "")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def luid_of(number: int) -> str:
    return f"e3417f6a-1c11-4a07-9f2e-{number:012d}"


def fill(inbox: Inbox, strings: tuple[str, ...], link: str | None = None) -> None:
    """Store content, runs, events, dead jobs and open incidents with each text in each field."""
    now = utc_now().timestamp()
    tables: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (resources, refreshed_content, runs, events, jobs, incidents, acts)
    }
    size = len(strings)
    for number, name in enumerate(strings):
        # Every field has another text, and each text comes once in every field.
        project, owner, reason, note, tag, problem = (strings[(number + shift * 101) % size] for shift in range(1, 7))
        luid, at = luid_of(number), now - 3600 - number
        names = {"resource_luid": luid, "site_luid": SITE, "resource_kind": "workbook", "resource_name": name}
        tables[resources].append(
            {"luid": luid, "kind": "workbook", "site_luid": SITE, "name": name, "owner": owner, "project": project}
        )
        tables[refreshed_content].append(names)
        ended = {"ended_at": at, "happened_at": at, "outcome": "failed", "reason": reason}
        tables[runs].append({**names, **ended, "reason_class": "unknown", "evidence": evidence(at, reason, number)})
        body = {"event_type": "WorkbookRefreshFailed", "resource": "WORKBOOK", "text": reason}
        named = {"resource_name": name, "resource_luid": luid, "site_luid": SITE}
        tables[events].append(
            {
                "id": number + 1,
                "fingerprint": str(number).encode(),
                "body": json.dumps({**body, **named, "created_at": "2026-11-26T08:00:00Z"}).encode(),
                "event_type": "WorkbookRefreshFailed",
                "received_at": at,
                "state": 1,
                **named,
            }
        )
        dead = {"key": "1", "rule": tag, "handler": "notify", "params": "{}", "state": int(JobState.DEAD)}
        times = {"due_at": at, "created_at": at, "finished_at": at, "attempts": 1, "max_attempts": 1}
        tables[jobs].append({"event_id": number + 1, "error": reason, **dead, **times})
        tables[incidents].append(
            {
                "id": number + 1,
                "key": f"failing {number}",
                "kind": "failing",
                "state": "open",
                **names,
                "project": project,
                "owner": owner,
                "link": link or name,
                "problem": problem,
                "tags": json.dumps([tag]),
                "upstream": json.dumps([tag]),
                "opened_at": at,
                "failures": 1,
                "in_a_row": 1,
                "reason": reason,
                "reason_class": "unknown",
                "flapping": 0,
                "quiet_by": note,
            }
        )
        by = {"incident_id": number + 1, "incident_key": f"failing {number}", "kind": "note", "acted_at": at}
        tables[acts].append({**by, "author": owner, "text": note})
    for table, rows in tables.items():
        inbox.store.execute(insert(table), rows)


def evidence(at: float, reason: str, number: int) -> str:
    """Return the evidence of a run as the inbox stores it."""
    ended = utc_now().fromtimestamp(at, utc_now().tzinfo).isoformat()
    piece = {"source": "job list", "outcome": "failed", "recorded_at": ended, "kind": "workbook", "reason": reason}
    return json.dumps([{**piece, "ended_at": ended, "job_luid": f"job-{number}"}])


def fetch(client: FlaskClient, path: str) -> Parsed:
    """Return a page that is whole, and in which nothing is hidden or turned around."""
    response = client.get(path)
    assert response.status_code == 200, path
    text = response.text
    assert text.endswith("</html>"), path
    hidden = {one for one in set(text) if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert hidden <= {"\n", *JOINERS}, (path, hidden)
    return Parsed(text)


def pages_of(client: FlaskClient, path: str) -> list[Parsed]:
    """Return all pages of a list."""
    found = []
    following: str | None = path
    while following:
        found.append(fetch(client, following))
        following = found[-1].more
    return found


def details(numbers: Any) -> list[str]:
    """Return the paths of single incidents, content and events."""
    kinds = ("/incidents/{0}", "/resources/{1}", "/events/{0}")
    return [kind.format(number + 1, luid_of(number)) for number, kind in itertools.product(numbers, kinds)]


def calm_elements(client: FlaskClient, inbox: Inbox) -> set[tuple[str, ...]]:
    """Return all elements of pages with texts that break nothing, and leave the inbox empty."""
    fill(inbox, CALM, "https://evil.example/")
    found = [
        fetch(client, path)
        for path in [*LISTS, *details([0]), "/events/replay?id=1", "/incidents?name=ale&project=a&owner=b"]
    ]
    found += [fetch(client, f"{path}?name=ale") for path in ("/resources", "/events")]
    client.post("/incidents/1/note", data={"note": "x"}, headers=SAME_ORIGIN)
    found.append(Parsed(client.post("/rules/try", data={"event": "x"}, headers=SAME_ORIGIN).text))
    for table in (acts, incidents, jobs, events, runs, refreshed_content, resources):
        inbox.store.execute(table.delete())
    return set().union(*(page.elements for page in found))


def check(page: Parsed, elements: set[tuple[str, ...]]) -> None:
    """Check that a page has no elements but those of calm pages, and leads to this server only."""
    assert page.elements <= elements, page.elements - elements
    foreign = {one for one in page.targets if not one.startswith(("/", "#")) or one.startswith(("//", "/\\"))}
    assert {one for one in foreign if not one.startswith("https://evil.example")} == set()


def test_lists_with_naughty_strings(client: FlaskClient, inbox: Inbox) -> None:
    """Texts of all classes are in lists as they are, and no page gets an element, an attribute or a link by them."""
    elements = calm_elements(client, inbox)
    strings = NAUGHTY_STRINGS[::6]
    fill(inbox, strings)
    expected = {visible(name) for name in strings}
    for path in LISTS:
        pages = pages_of(client, path)
        for page in pages:
            check(page, elements)
        if path in {"/resources", "/events"}:
            text = "\n".join(page.text for page in pages)
            assert [name for name in expected if name not in text] == []
    for number, text in list(enumerate(strings))[::20]:
        client.post(f"/incidents/{number + 1}/note", data={"note": text[:900]}, headers=SAME_ORIGIN)
        for path in details([number]):
            check(fetch(client, path), elements)


@pytest.mark.second_stage
def test_everything_with_naughty_strings(client: FlaskClient, inbox: Inbox) -> None:
    """So it is with all of them on the page of each incident, on the first page, in searches and in forms."""
    elements = calm_elements(client, inbox)
    fill(inbox, NAUGHTY_STRINGS)
    paths = details(range(len(NAUGHTY_STRINGS)))
    # Incidents show all fields; content and events show some of them.
    for path in [path for path in paths if path.startswith("/incidents")] + paths[1::9] + paths[2::9]:
        check(fetch(client, path), elements)
    for number, text in list(enumerate(NAUGHTY_STRINGS))[::10]:
        query = dict.fromkeys(("name", "project", "owner", "type", "subject"), text[:200])
        check(fetch(client, f"/events/replay?id={number + 1}"), elements)
        for path in ("/incidents", "/resources", "/events", "/audit"):
            response = client.get(path, query_string=query)
            assert response.status_code == 200, (path, text)
            check(Parsed(response.text), elements)
        check(Parsed(client.post("/rules/try", data={"event": text}, headers=SAME_ORIGIN).text), elements)
    for number in range(0, len(NAUGHTY_STRINGS), 20):
        check(fetch(client, "/"), elements)
        shown = incidents.c.id.between(number + 1, number + 20)
        inbox.store.execute(update(incidents).where(shown).values(state="closed", closed_at=utc_now().timestamp()))
