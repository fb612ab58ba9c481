"""Test what the pages show, and that acts on them change incidents."""

from __future__ import annotations

import re
import time
from datetime import timedelta

from flask.testing import FlaskClient

from tests.dashboard.conftest import PASSWORD, SAME_ORIGIN, fail, services_of
from webhooks.clock import utc_now
from webhooks.dashboard.pages.assets import FOLDER
from webhooks.dashboard.render import TEMPLATES
from webhooks.inbox import Inbox
from webhooks.incidents import Act
from webhooks.incidents.policy import DestinationPolicy, Policy
from webhooks.job import REFRESH_INCIDENT

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }} {% raw %}",
    "javascript:alert(1)",
    "@version@",
    "‮txt.exe \u0000 \ud83d",  # noqa: PLE2502 - a hostile name
)


def test_style_sheet_is_small() -> None:
    """The one style sheet of all pages has 9 KB at most, as people write it, and every class in it is used."""
    style = (FOLDER / "style.css").read_text()
    assert len(style.encode()) <= 9000
    package = FOLDER.parents[1]
    # Classes are in templates, or are states, kinds and outcomes.
    files = [*TEMPLATES.glob("*.html"), package / "job.py", package / "dashboard" / "charts.py"]
    files += [*(package / "views").glob("*.py"), *(package / "incidents").glob("*.py")]
    used = set(re.findall(r"[\w-]+", "".join(path.read_text() for path in files)))
    selectors = re.sub(r"\{[^{}]*\}", "{}", style)
    assert set(re.findall(r"\.([a-z][\w-]*)", selectors)) <= used


def test_now_shows_open_incidents(client: FlaskClient, inbox: Inbox) -> None:
    """Each has its reason, advice, owner, strikes and who takes care of it."""
    at = utc_now() + timedelta(minutes=20)
    record = fail(inbox, reason="Disk quota exceeded", project="Finance/Closing", owner="Ben (ben@a.example)")
    fail(inbox, "Daily Orders", strikes=4, next_run_at=at, downstream=3)
    page = client.get("/").text
    assert "2 things are broken" in page
    assert f'href="/incidents/{record.id}"' in page
    for text in ("Finance / Closing", "owner Ben<", "Disk quota exceeded.", "Free space", "strike 4 of 5", "feeds 3"):
        assert text in page
    assert "not acknowledged" in page
    for text, path in (("open 2", "/incidents"), ("mine", "?owner=local"), ("unacknowledged 2", "?state=open")):
        assert re.search(rf'<a class="chip" href="[^"]*{re.escape(path)}"[^>]*>{text}</a>', page), text


def test_nothing_is_broken(client: FlaskClient) -> None:
    """An empty inbox is a page, too."""
    page = client.get("/").text
    assert "Nothing is broken" in page
    assert "No event was received yet" in page


def test_hostile_names_stay_text(client: FlaskClient, inbox: Inbox) -> None:
    """Markup in any field from outside is shown as text on every page."""
    records = []
    for name in HOSTILE:
        safe = name.encode("utf-8", "replace").decode()
        records.append(
            fail(inbox, safe, reason=safe, project=safe, owner=safe, link="javascript:alert(1)", problem=safe)
        )
        client.post(f"/incidents/{records[-1].id}/note", data={"note": safe}, headers=SAME_ORIGIN)
    lists = [
        "/",
        "/incidents",
        "/resources",
        "/events",
        "/dead-letters",
        "/audit",
        "/rules",
        "/incidents?name=<script>alert",
    ]
    details = [f"/incidents/{record.id}" for record in records]
    details += [f"/resources/{record.incident.resource_luid}" for record in records]
    details += [f"/events/{event.event.id}" for event in inbox.events.list()]
    for path in lists + details:
        response = client.get(path)
        assert response.status_code == 200, path
        for markup in ("<script>alert", "<img src=x", "' onmouseover='", 'href="javascript'):
            assert markup not in response.text
        assert "\u202e" not in response.text
        assert response.headers["ETag"] in response.text


def test_secrets_are_masked(client: FlaskClient, inbox: Inbox) -> None:
    """A reason that contains a secret of the server is shown without it."""
    fail(inbox, reason="token pat-secret-of-the-test was refused")
    page = client.get("/").text
    assert "pat-secret-of-the-test" not in page
    assert "token *** was refused" in page


def test_unchanged_page_is_not_sent_again(client: FlaskClient, inbox: Inbox) -> None:
    """An open page asks with its version and gets 304, until something has changed."""
    fail(inbox)
    # The page says since when, in minutes: if one begins in between, it has changed.
    minute = None
    while minute != (minute := int(time.time() // 60)):
        first = client.get("/")
        version = first.headers["ETag"]
        again = {"If-None-Match": version, "X-Poll": "1"}
        polled = client.get("/", headers=again).status_code
        loaded = client.get("/", headers={"If-None-Match": version}).status_code
    assert f"data-version={version}" in first.text
    assert (polled, loaded) == (304, 304)
    fail(inbox, "Another")
    # A page that a person loads is always rendered; those that ask in the background follow within two seconds.
    changed = client.get("/", headers={"If-None-Match": version})
    assert (changed.status_code, "2 things" in changed.text) == (200, True)
    assert client.get("/", headers=again).status_code == 200


def test_acts(client: FlaskClient, inbox: Inbox) -> None:
    """Acknowledge, snooze, note, refresh and close do what they say, leave a row, and lead back to the page."""
    record = fail(inbox)
    path = f"/incidents/{record.id}"

    def post(kind: str, **data: str) -> str:
        response = client.post(f"{path}/{kind}", data=data, headers=SAME_ORIGIN)
        assert response.status_code == 303, response.text
        return str(response.headers["Location"])

    assert post("acknowledge", next="/?project=a&done=x") == "/?project=a&done=acknowledge"
    assert inbox.incidents.get(record.id).incident.state == "acknowledged"
    assert "Acknowledged." in client.get("/?done=acknowledge").text
    assert post("snooze", **{"for": "4h"}) == f"{path}?done=snooze"
    until = inbox.incidents.get(record.id).incident.quiet_until
    assert until is not None
    assert timedelta(hours=3.9) < until - utc_now() < timedelta(hours=4.1)
    post("note", note="waiting for the DBA")
    post("refresh")
    assert any(job.job.handler == REFRESH_INCIDENT for event in inbox.events.list() for job in event.jobs)
    post("close")
    assert not inbox.incidents.get(record.id).incident.is_open
    page = client.get(path).text
    for text in ("acknowledged by local", "snoozed by local until", "note added by local: waiting for the DBA"):
        assert text in page
    acts = [(entry.act, entry.origin) for entry in reversed(inbox.audit.list(subject=f"incident {record.id}"))]
    assert [act for act, _ in acts] == ["acknowledge", "snooze", "note", "refresh", "close"]
    assert {origin for _, origin in acts} == {"page 127.0.0.1"}
    assert client.post(f"{path}/acknowledge", headers=SAME_ORIGIN).status_code == 409


def test_incident_shows_its_messages(client: FlaskClient, inbox: Inbox) -> None:
    """Each destination's message is there with the rule's own title, as it is now; what was not sent has none."""
    record = fail(inbox, "Sales <b>", project="Finance/Daily", owner="Ann (ann@a.example)", problem="Too old.")
    policies = {to: Policy("Failures", (DestinationPolicy(to),)) for to in ("slack:#bi", "slack:#ops")}
    sent = inbox.notices.register(
        record.id, "slack:#bi", policies["slack:#bi"], {"title": "Look at {{ resource.name }}"}
    )
    inbox.notices.register(record.id, "slack:#ops", policies["slack:#ops"])
    inbox.notices.save(sent, posted={"message": {"place": "C1", "id": "1.2"}}, shown={"message": 1})
    page = client.get(f"/incidents/{record.id}").text
    assert page.count("<summary>Message to ") == 1
    message = page.partition("<summary>Message to ")[2].partition("</details>")[0]
    for text in ("Look at Sales &lt;b&gt;", "Disk full", "Finance/Daily", "Ann (ann@a.example)", "Too old."):
        assert text in message, text
    inbox.incidents.act(record.id, Act("", "acknowledge", "", utc_now(), "Bea"))
    assert "Bea" in client.get(f"/incidents/{record.id}").text.partition("<summary>Message to ")[2]


def test_useless_acts_are_refused(client: FlaskClient, inbox: Inbox) -> None:
    """Nothing is stored, and the page says why."""
    record = fail(inbox)
    acts: list[tuple[str, dict[str, str], int]] = [
        ("note", {"note": "  "}, 400),
        ("note", {"note": "x" * 1001}, 400),
        ("snooze", {}, 400),
        ("snooze", {"for": "forever"}, 400),
        ("explode", {}, 404),
    ]
    for kind, data, status in acts:
        response = client.post(f"/incidents/{record.id}/{kind}", data=data, headers=SAME_ORIGIN)
        assert response.status_code == status, kind
    assert inbox.incidents.get(record.id).incident.acts == ()


def test_unknown_incident(client: FlaskClient) -> None:
    """A number that does not exist is a page with 404, however large it is."""
    for number in ("7", "9" * 30):
        assert client.get(f"/incidents/{number}").status_code == 404
        assert client.post(f"/incidents/{number}/close", headers=SAME_ORIGIN).status_code == 404


def test_a_viewer_sees_no_buttons(protected: FlaskClient) -> None:
    """A page offers only what the visitor may do."""
    inbox = services_of(protected).inbox
    record = fail(inbox)
    value = inbox.sign_ins.start(name="Vi", role="viewer", address="", password=PASSWORD)
    protected.set_cookie("session", value)
    for path in ("/", f"/incidents/{record.id}"):
        page = protected.get(path).text
        assert "Month End Close" in page
        assert "/acknowledge" not in page
        assert "textarea" not in page


def test_incidents_of_one_database_are_one_card(client: FlaskClient, inbox: Inbox) -> None:
    """The headline counts them once; one button acknowledges all of them."""
    for number in range(4):
        fail(inbox, f"Orders {number}", upstream=("warehouse<PROD>",))
    fail(inbox, "Sales")
    page = client.get("/").text
    assert "2 things are broken" in page
    assert "warehouse&lt;PROD&gt;: 4 workbooks" in page
    form = page.partition('id="cluster-')[2].partition("</form>")[0]
    ids = re.findall(r'name="id" value="(\d+)"', form)
    response = client.post("/incidents/acts", data={"act": "acknowledge", "id": ids, "next": "/"}, headers=SAME_ORIGIN)
    assert response.headers["Location"] == "/?done=acknowledge"
    states = sorted(record.incident.state for record in inbox.incidents.list())
    assert states == ["acknowledged"] * 4 + ["open"]
    assert "1 thing is broken, 4 are being looked at" in client.get("/").text
