"""Test the signed links in messages: opening one changes nothing, its form acts once, and forged ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.dashboard.conftest import PASSWORD, SAME_ORIGIN, fail, services_of
from webhooks.clock import utc_now
from webhooks.inbox import Inbox, IncidentRecord
from webhooks.incidents import Act
from webhooks.messages.act_links import VALID_FOR, ActLink, LinkMaker, parse, sign

SECRET = "a-secret-for-links-in-the-test"
# Someone elsewhere, who has no session and no password.
ELSEWHERE = {"REMOTE_ADDR": "203.0.113.7"}


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> FlaskClient:
    app = make_app(admin_password=PASSWORD, link_secret=SECRET, public_url="https://hooks.example")
    client = app.test_client()
    client.environ_base |= ELSEWHERE
    return client


def path_of(record: IncidentRecord, action: str = "Acknowledge", to: str = "email:ann@example.org") -> str:
    """Return the path of a link in a message."""
    maker = LinkMaker(to, SECRET, "https://hooks.example")
    links = maker.links({record.incident.state}, record.id, record.incident.id, utc_now())
    return urlsplit(next(link.url for link in links if link.label == action)).path


def test_opening_changes_nothing_and_the_form_acts_once(client: FlaskClient, inbox: Inbox) -> None:
    """A program that scans mail opens the link; the person presses the button, as often as they like."""
    record = fail(inbox, "Sales <b>", project="Finance")
    path = path_of(record)
    for _ in range(3):
        page = client.get(path)
        assert (page.status_code, "Sales &lt;b&gt;" in page.text) == (200, True)
        assert '<button class="primary">Acknowledge</button>' in page.text
        assert client.head(path).status_code in {200, 405}
    assert inbox.incidents.get(record.id).incident.state == "open"
    done = client.post(path, headers=SAME_ORIGIN)
    assert (done.status_code, "Acknowledged." in done.text) == (200, True)
    again = client.post(path, headers=SAME_ORIGIN)
    assert "It is acknowledged already, by ann@example.org." in again.text
    incident = inbox.incidents.get(record.id).incident
    assert (incident.state, incident.quiet_by, len(incident.acts)) == ("acknowledged", "ann@example.org", 1)
    (entry, *_) = inbox.audit.list()
    assert (entry.act, entry.by, entry.origin) == ("acknowledge", "ann@example.org", "link email:ann@example.org")
    assert "Cache-Control" in page.headers
    assert page.headers["Referrer-Policy"] == "same-origin"


def test_snooze_ends_after_an_hour(client: FlaskClient, inbox: Inbox) -> None:
    """The end of the snooze counts from the press."""
    record = fail(inbox)
    assert "Snoozed for one hour." in client.post(path_of(record, "Snooze 1 h"), headers=SAME_ORIGIN).text
    until = inbox.incidents.get(record.id).incident.quiet_until
    assert until
    assert abs(until - utc_now() - timedelta(hours=1)) < timedelta(minutes=2)
    assert "Acknowledge</button>" in client.get(path_of(inbox.incidents.get(record.id))).text


@pytest.mark.parametrize("to", ["teams:bi", "email", "email:ann@example.org,ben@example.org", "pagerduty"])
def test_message_that_many_have_asks_for_the_name(to: str, client: FlaskClient, inbox: Inbox) -> None:
    """The person who acts gives a name if several people have the message."""
    record = fail(inbox)
    path = path_of(record, to=to)
    assert 'name="name"' in client.get(path).text
    assert client.post(path, headers=SAME_ORIGIN).status_code == 400
    assert client.post(path, headers=SAME_ORIGIN, data={"name": "x" * 81}).status_code == 400
    assert client.post(path, headers=SAME_ORIGIN, data={"name": "Ann Lee"}).status_code == 200
    assert inbox.incidents.get(record.id).incident.quiet_by.startswith("Ann Lee (")


def test_closed_incident_has_nothing_left_to_do(client: FlaskClient, inbox: Inbox) -> None:
    """A link in an old message does not acknowledge what has recovered."""
    record = fail(inbox)
    path = path_of(record)
    inbox.incidents.act(record.id, Act("", "close", record.incident.id, utc_now(), "Ben"))
    for response in (client.get(path), client.post(path, headers=SAME_ORIGIN)):
        assert "It is closed: nothing is left to do." in response.text
    assert [act.kind for act in inbox.incidents.get(record.id).incident.acts] == ["close"]


def test_forged_and_old_links_are_refused(client: FlaskClient, inbox: Inbox) -> None:
    """Another signature, another incident, a changed byte, another purpose, and an expired one: 404, and no act."""
    record = fail(inbox)
    now = utc_now()
    link = ActLink("acknowledge", record.id, record.incident.id, "email:ann@example.org", now + VALID_FOR)
    right = sign(link, SECRET)
    other = ActLink("acknowledge", record.id, "0" * 32, "email:ann@example.org", now + VALID_FOR)
    late = ActLink("acknowledge", record.id, record.incident.id, "email:ann@example.org", now - timedelta(seconds=1))
    unknown = ActLink("acknowledge", record.id + 99, record.incident.id, "email:ann@example.org", now + VALID_FOR)
    middle = len(right) // 2
    changed = right[:middle] + ("A" if right[middle] != "A" else "B") + right[middle + 1 :]
    forged = [
        sign(link, SECRET[::-1]),
        sign(other, SECRET),
        sign(late, SECRET),
        sign(unknown, SECRET),
        changed,
        "x",
        ".",
    ]
    for text in [*forged, right[:-1], right + "A", "x" * 5000]:
        for response in (client.get(f"/act/{text}"), client.post(f"/act/{text}", headers=SAME_ORIGIN)):
            assert response.status_code == 404, text[:100]
    assert inbox.incidents.get(record.id).incident.state == "open"
    assert client.get(f"/act/{right}").status_code == 200


def test_form_of_another_site_is_refused(client: FlaskClient, inbox: Inbox) -> None:
    """Only the page itself can send the form."""
    record = fail(inbox)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
        assert client.post(path_of(record), headers=headers).status_code == 403
    assert inbox.incidents.get(record.id).incident.state == "open"


def test_links_need_the_secret_and_the_address(inbox: Inbox, make_app: Callable[..., Flask]) -> None:
    """Without LINK_SECRET every signature is wrong, without PUBLIC_URL there are no links; short ones are refused."""
    record = fail(inbox)
    path = path_of(record)
    assert make_app().test_client().get(path).status_code == 404
    for secret, url in (("", "https://hooks.example"), (SECRET, "")):
        assert LinkMaker("email", secret, url).links({"open"}, record.id, record.incident.id, utc_now()) == ()
    assert parse(path.rpartition("/")[2], "", utc_now()) is None
    with pytest.raises(RuntimeError, match=r"LINK_SECRET: .*could be guessed"):
        make_app(link_secret="short")


def test_secret_is_masked(client: FlaskClient) -> None:
    """It is among the secrets that no log and no message shows."""
    assert SECRET in services_of(client).settings.secrets()
