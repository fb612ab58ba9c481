"""One event's whole way, over real HTTP and without mocks: from Tableau's POST to a message a person reads."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import requests

from simulator import Running
from tests.acceptance.server import Server, serving, wait_for

EVENT = {"resource": "USER", "event_type": "AdminPromoted", "resource_name": "x", "created_at": "2026-01-31T09:30:00Z"}


def happen(site: Running, **wish: str) -> dict[str, Any]:
    made = requests.post(f"{site.url}/simulator/events", json=wish, timeout=5)
    assert made.status_code == 200, made.text
    event: dict[str, Any] = made.json()["event"]
    return event


def slack(site: Running) -> list[dict[str, Any]]:
    received: list[dict[str, Any]] = requests.get(f"{site.url}/simulator/messages", timeout=5).json()["slack"]
    return received


def fault(site: Running, **fault: object) -> None:
    assert requests.post(f"{site.url}/simulator/faults", json=fault, timeout=5).status_code < 300


def ended(server: Server) -> list[dict[str, Any]]:
    """All events once every job has ended, else nothing."""
    events = server.events()
    jobs = [job for event in events for job in event["jobs"]]
    over = all(job["state"] in {"done", "skipped", "dead"} for job in jobs)
    return events if over and all(event["state"] != "received" for event in events) else []


def test_events_end_in_what_people_read(site: Running, register: Callable[[Server], None], tmp_path: Path) -> None:
    """A failure, a publication, a deletion and something nobody asked for, each to its end."""
    with serving(tmp_path, site.environment) as server:
        register(server)
        failed = happen(site, event_type="WorkbookRefreshFailed", reason="Login failed for user 'etl'")
        published = happen(site, event_type="WorkbookCreated", name="Quarterly Review")
        deleted = happen(site, event_type="DatasourceDeleted")
        happen(site, event_type="DatasourceRefreshSucceeded")
        wait_for(lambda: len(server.events()) == 4 and ended(server), what="all four to end")
        about = {message["text"].splitlines()[0]: message for message in slack(site) if not message["thread_ts"]}
        assert set(about) == {
            f"Workbook refresh failed: {escape(failed['resource_name'], quote=False)}",
            f"Workbook created: {published['resource_name']}",
            f"Data source deleted: {escape(deleted['resource_name'], quote=False)}",
        }
        failure = next(message for title, message in about.items() if "failed" in title)
        publication = next(message for title, message in about.items() if "created" in title)
        _has_owner_reason_and_link(site, failed, failure)
        _has_its_picture_in_the_thread(site, publication)
        _was_ignored(server)


def _has_owner_reason_and_link(site: Running, event: dict[str, Any], message: dict[str, Any]) -> None:
    """What the webhook leaves out comes from Tableau's REST API."""
    content = str(message["blocks"])
    workbook = site.world.home.workbooks[event["resource_luid"]]
    assert "Login failed for user" in content
    assert site.world.home.users[workbook.owner].full_name.split("'")[0] in content
    assert f"{site.url}/#/site/acme/workbooks/" in content


def _has_its_picture_in_the_thread(site: Running, message: dict[str, Any]) -> None:
    (answer,) = [one for one in slack(site) if one["thread_ts"] == message["ts"]]
    (file,) = answer["files"]
    assert requests.get(site.url + file["url"], timeout=5).content.startswith(b"\x89PNG")


def _was_ignored(server: Server) -> None:
    (event,) = [one for one in server.events() if one["event_type"] == "DatasourceRefreshSucceeded"]
    assert (event["state"], event["jobs"]) == ("ignored", [])


def test_outage_of_tableau_and_slack_ends_in_every_message(
    site: Running, register: Callable[[Server], None], tmp_path: Path
) -> None:
    """Tableau refuses connections and Slack answers 502: webhooks are acknowledged, and every message arrives later."""
    with serving(tmp_path, site.environment) as server:
        register(server)
        fault(site, kind="refuse", target="tableau")
        fault(site, kind="html", target="slack")
        happened = [happen(site, event_type="WorkbookUpdated") for _ in range(5)]
        # Two on the same content within a second are one event.
        sent = {(event["resource_luid"], event["created_at"]) for event in happened}
        wait_for(lambda: len(server.events()) == len(sent), what="all events")
        wait_for(lambda: any(job["error"] for event in server.events() for job in event["jobs"]), what="a failure")
        assert slack(site) == []
        requests.delete(f"{site.url}/simulator/faults", timeout=5)
        wait_for(lambda: ended(server), seconds=60, what="all messages")
        told = [message["text"] for message in slack(site) if not message["thread_ts"]]
        assert len(told) == len(sent)
        names = {escape(event["resource_name"], quote=False) for event in happened}
        assert all(any(name in text for text in told) for name in names)


def test_killed_server_tells_once_it_is_back(site: Running, register: Callable[[Server], None], tmp_path: Path) -> None:
    """An acknowledged event survives kill -9 of everything before anybody was told."""
    fault(site, kind="html", target="slack")
    with serving(tmp_path, site.environment) as server:
        answer = requests.post(server.hook, json=EVENT, timeout=5)
        assert answer.json()["status"] == "accepted"
        server.kill()
    requests.delete(f"{site.url}/simulator/faults", timeout=5)
    with serving(tmp_path, site.environment, LEASE_SECONDS="1") as server:
        assert requests.post(server.hook, json=EVENT, timeout=5).json()["status"] == "duplicate"
        wait_for(lambda: ended(server), seconds=45, what="the message")
        assert len([message for message in slack(site) if not message["thread_ts"]]) == 1


def test_dead_job_is_told_of(site: Running, tmp_path: Path) -> None:
    """A permanent refusal ends in the dead-letter list, and somebody hears of it."""
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nname = "To nowhere"\non = "AdminPromoted"\nnotify = "slack:#no-such-channel"\n'
        '[dead_letters]\nnotify = "slack:#bi"\n'
    )
    with serving(tmp_path, site.environment, RULES_FILE=str(rules)) as server:
        requests.post(server.hook, json=EVENT, timeout=5)
        (message,) = wait_for(lambda: slack(site), what="the announcement")
        assert "dead" in message["text"]
        assert "channel_not_found" in str(message["blocks"])
        (event,) = wait_for(lambda: ended(server))
        assert {job["handler"]: job["state"] for job in event["jobs"]} == {"notify": "dead", "dead_letters": "done"}


def test_one_pat_is_signed_in_by_few(site: Running, register: Callable[[Server], None], tmp_path: Path) -> None:
    """Two processes with four threads each share one session: a second sign-in would end the first."""
    with serving(tmp_path, site.environment) as server:
        register(server)
        happened = [happen(site, event_type="DatasourceUpdated") for _ in range(40)]
        # Two on the same content within a second are one event.
        sent = {(event["resource_luid"], event["created_at"]) for event in happened}
        wait_for(lambda: len(server.events()) == len(sent) and ended(server), seconds=60)
        sessions = requests.get(f"{site.url}/simulator/sessions", timeout=5).json()
        (by_token,) = [count for who, count in sessions["sign_ins"].items() if who.startswith("pat")]
        assert by_token <= 3, sessions


def test_no_secret_in_the_log_or_the_lists(site: Running, register: Callable[[Server], None], tmp_path: Path) -> None:
    """Neither at DEBUG, nor when something fails, nor in what commands print."""
    with serving(tmp_path, site.environment, FLASK_ENV="development") as server:
        register(server)
        fault(site, kind="html", target="slack", times=1)
        requests.post(f"{server.url}/webhook/wrong-token-given", json=EVENT, timeout=5)
        happen(site, event_type="WorkbookRefreshFailed")
        wait_for(lambda: server.events() and ended(server), seconds=30)
        printed = server.flask("events", "list", "--json").stdout + server.flask("webhooks", "list").stdout
        config = site.world.config
        everything = server.log.read_text() + printed
        for secret in (
            config.pat_secret,
            config.slack_token,
            config.twilio_auth_token,
            "way-token",
            "wrong-token-given",
        ):
            assert secret not in everything
        for session in site.world.sessions.live():
            assert session.token not in everything
