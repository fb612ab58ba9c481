"""From Tableau's request to the message that a person reads, over real HTTP and without mocks."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import requests

from simulator import Running
from tests.acceptance.simulation import (
    EVENT,
    cause,
    finished_events,
    inject_fault,
    remove_faults,
    slack_messages,
)
from tests.support.server import Server, serving, wait_for

Register = Callable[[Server], None]


def test_events_become_messages(site: Running, register: Register, tmp_path: Path) -> None:
    """A failure, a publication and a deletion lead to messages; an event without a rule is ignored."""
    with serving(tmp_path, site.environment) as server:
        register(server)
        failed = cause(site, event_type="WorkbookRefreshFailed", reason="Login failed for user 'etl'")
        published = cause(site, event_type="WorkbookCreated", name="Quarterly Review")
        deleted = cause(site, event_type="DatasourceDeleted")
        cause(site, event_type="DatasourceRefreshSucceeded")
        wait_for(lambda: len(server.events()) == 4 and finished_events(server), what="the end of all four")
        messages = {
            message["text"].splitlines()[0]: message for message in slack_messages(site) if not message["thread_ts"]
        }
        assert set(messages) == {
            f"Failing: {escape(failed['resource_name'], quote=False)} (workbook)",
            f"Workbook created: {published['resource_name']}",
            f"Data source deleted: {escape(deleted['resource_name'], quote=False)}",
        }
        failure = next(message for title, message in messages.items() if "Failing" in title)
        publication = next(message for title, message in messages.items() if "created" in title)
        assert_details_from_tableau(site, failed, failure)
        assert_picture_in_thread(site, publication)
        (ignored,) = [event for event in server.events() if event["event_type"] == "DatasourceRefreshSucceeded"]
        assert (ignored["state"], ignored["jobs"]) == ("ignored", [])


def assert_details_from_tableau(site: Running, event: dict[str, Any], message: dict[str, Any]) -> None:
    """Check that the message has the reason, the owner and the link, which the webhook leaves out."""
    content = str(message["blocks"])
    workbook = site.world.home.workbooks[event["resource_luid"]]
    assert "Login failed for user" in content
    assert site.world.home.users[workbook.owner].full_name.split("'")[0] in content
    assert f"{site.url}/#/site/acme/workbooks/" in content


def assert_picture_in_thread(site: Running, message: dict[str, Any]) -> None:
    """Check that the thread of the message has the preview picture."""
    (reply,) = [one for one in slack_messages(site) if one["thread_ts"] == message["ts"]]
    (file,) = reply["files"]
    assert requests.get(site.url + file["url"], timeout=30).content.startswith(b"\x89PNG")


def test_every_message_arrives_after_an_outage(site: Running, register: Register, tmp_path: Path) -> None:
    """While Tableau refuses connections and Slack responds 502, webhooks are acknowledged; messages arrive later."""
    with serving(tmp_path, site.environment) as server:
        register(server)
        inject_fault(site, kind="refuse", target="tableau")
        inject_fault(site, kind="html", target="slack")
        caused = [cause(site, event_type="WorkbookUpdated") for _ in range(5)]
        # Two about the same content within a second are one event.
        distinct = {(event["resource_luid"], event["created_at"]) for event in caused}
        wait_for(lambda: len(server.events()) == len(distinct), what="all events")
        wait_for(lambda: any(job["error"] for event in server.events() for job in event["jobs"]), what="a failure")
        assert slack_messages(site) == []
        remove_faults(site)
        wait_for(lambda: finished_events(server), seconds=60, what="all messages")
        texts = [message["text"] for message in slack_messages(site) if not message["thread_ts"]]
        assert len(texts) == len(distinct)
        names = {escape(event["resource_name"], quote=False) for event in caused}
        assert all(any(name in text for text in texts) for name in names)


def test_killed_server_delivers_after_its_restart(site: Running, register: Register, tmp_path: Path) -> None:
    """An acknowledged event survives kill -9 of all processes before any message was sent."""
    inject_fault(site, kind="html", target="slack")
    with serving(tmp_path, site.environment) as server:
        response = requests.post(server.hook, json=EVENT, timeout=30)
        assert response.json()["status"] == "accepted"
        server.kill()
    remove_faults(site)
    with serving(tmp_path, site.environment, LEASE_SECONDS="1") as server:
        assert requests.post(server.hook, json=EVENT, timeout=30).json()["status"] == "duplicate"
        wait_for(lambda: finished_events(server), seconds=45, what="the message")
        assert len([message for message in slack_messages(site) if not message["thread_ts"]]) == 1


def test_dead_letter_is_announced(site: Running, tmp_path: Path) -> None:
    """A permanent refusal ends in the dead-letter list, and a message reports it."""
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nname = "To nowhere"\non = "AdminPromoted"\nnotify = "slack:#no-such-channel"\n'
        '[dead_letters]\nnotify = "slack:#bi"\n'
    )
    with serving(tmp_path, site.environment, RULES_FILE=str(rules)) as server:
        requests.post(server.hook, json=EVENT, timeout=30)
        (message,) = wait_for(lambda: slack_messages(site), what="the announcement")
        assert "dead" in message["text"]
        assert "channel_not_found" in str(message["blocks"])
        (event,) = wait_for(lambda: finished_events(server))
        assert {job["handler"]: job["state"] for job in event["jobs"]} == {"notify": "dead", "dead_letters": "done"}


def test_processes_share_one_session(site: Running, register: Register, tmp_path: Path) -> None:
    """Two processes with four threads each use one session: a second sign-in would end the first."""
    with serving(tmp_path, site.environment) as server:
        register(server)
        caused = [cause(site, event_type="DatasourceUpdated") for _ in range(40)]
        # Two about the same content within a second are one event.
        distinct = {(event["resource_luid"], event["created_at"]) for event in caused}
        wait_for(lambda: len(server.events()) == len(distinct) and finished_events(server), seconds=60)
        sessions = requests.get(f"{site.url}/simulator/sessions", timeout=30).json()
        (sign_ins,) = [count for who, count in sessions["sign_ins"].items() if who.startswith("pat")]
        assert sign_ins <= 3, sessions


def test_no_secret_reaches_log_or_output(site: Running, register: Register, tmp_path: Path) -> None:
    """Neither the log at DEBUG, also of a failure, nor the output of commands contains one."""
    with serving(tmp_path, site.environment, FLASK_ENV="development") as server:
        register(server)
        inject_fault(site, kind="html", target="slack", times=1)
        requests.post(f"{server.url}/webhook/wrong-token-given", json=EVENT, timeout=30)
        cause(site, event_type="WorkbookRefreshFailed")
        wait_for(lambda: server.events() and finished_events(server), seconds=30)
        printed = server.flask("events", "list", "--json").stdout + server.flask("webhooks", "list").stdout
        config = site.world.config
        output = server.log.read_text() + printed
        for secret in (
            config.pat_secret,
            config.slack_token,
            config.twilio_auth_token,
            "way-token",
            "wrong-token-given",
        ):
            assert secret not in output
        for session in site.world.sessions.live():
            assert session.token not in output
