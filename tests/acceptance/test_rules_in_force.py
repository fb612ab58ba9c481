"""Servers with different rules on one inbox, a reload, and a start with a broken file."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from simulator import Running, running
from tests.acceptance.simulation import EVENT
from tests.support.server import Server, serving, wait_for

ADMINS = '[[rule]]\nname = "{name}"\non = "Admin*"\nnotify = "console"\n'
NOTHING = '[[rule]]\nname = "Sites"\non = "SiteCreated"\nnotify = "console"\n'


@pytest.fixture
def site() -> Iterator[Running]:
    with running() as site:
        yield site


def send(server: Server, number: int) -> None:
    payload = {**EVENT, "resource_name": f"user {number}"}
    assert requests.post(server.hook, json=payload, timeout=10).status_code == 200


def planned(server: Server, number: int) -> list[dict[str, object]]:
    events = server.events()
    return events if len(events) == number and all(event["state"] != "received" for event in events) else []


def test_rolling_deployment_of_rules_loses_and_doubles_nothing(site: Running, tmp_path: Path) -> None:
    """While an old and a new server run on one inbox, every event is planned once, by the rules in force."""
    old, new = tmp_path / "old.toml", tmp_path / "new.toml"
    old.write_text(ADMINS.format(name="Old"))
    new.write_text(ADMINS.format(name="New"))
    one = {"WEB_CONCURRENCY": "1"}
    with serving(tmp_path, site.environment, RULES_FILE=str(old), **one) as first:
        for number in range(8):
            send(first, number)
        wait_for(lambda: planned(first, 8), what="the first events to be planned")
        (tmp_path / "second").mkdir()
        database = first.environment["DATABASE_URL"]
        with serving(
            tmp_path / "second", site.environment, RULES_FILE=str(new), DATABASE_URL=database, **one
        ) as second:
            wait_for(lambda: "Rules in force: version=2" in first.log.read_text(), what="the old server to follow")
            for number in range(8, 24):
                send((first, second)[number % 2], number)
            events = wait_for(lambda: planned(first, 24), what="all events to be planned")
            ready = requests.get(f"{first.url}/readyz", timeout=30).json()
            metrics = requests.get(f"{first.url}/metrics", timeout=30).text
            doctor = first.flask("doctor", "--json").stdout
    by_version = {1: 0, 2: 0}
    for event in events:
        (job,) = event["jobs"]  # type: ignore[misc]
        by_version[event["rules_version"]] += 1  # type: ignore[index]
        assert job["rule"] == {1: "Old", 2: "New"}[event["rules_version"]]  # type: ignore[index]
    assert by_version == {1: 8, 2: 16}
    assert "differs from version 2" in " ".join(ready["warnings"])
    assert "tableau_webhooks_rules_file_not_in_force 1.0" in metrics
    found = [json.loads(line) for line in doctor.splitlines()]
    assert any(line["check"] == "rules" and "differs from version 2" in line["text"] for line in found)


def test_changed_file_is_used_without_a_restart_under_load(site: Running, tmp_path: Path) -> None:
    """Two processes use a change within 3 s; every event is planned once, by the version recorded with it."""
    file, started = tmp_path / "rules.toml", time.monotonic()
    file.write_text(ADMINS.format(name="Version 1"))
    with serving(tmp_path, site.environment, RULES_FILE=str(file), WEB_CONCURRENCY="2") as server:
        stop, sent = threading.Event(), []

        def load() -> None:
            with requests.Session() as session:
                while not stop.is_set():
                    payload = {**EVENT, "resource_name": f"user {len(sent)}"}
                    assert session.post(server.hook, json=payload, timeout=10).status_code == 200
                    sent.append(time.monotonic() - started)
                    time.sleep(0.02)

        thread = threading.Thread(target=load)
        thread.start()
        delays = []
        for number in range(2, 6):
            new = tmp_path / "new.toml"
            new.write_text(ADMINS.format(name=f"Version {number}"))
            new.replace(file)
            changed_at, words = time.monotonic(), f"Rules in force: version={number} "
            wait_for(lambda: server.log.read_text().count(words) == 1, what="the server to use it")  # noqa: B023
            delays.append(time.monotonic() - changed_at)
            if number == 3:
                file.write_text("[[rule]\n")
                wait_for(lambda: server.log.read_text().count("keeping the rules in force") == 1, what="the report")
                ready = requests.get(f"{server.url}/readyz", timeout=30)
                assert (ready.status_code, "is invalid" in str(ready.json()["warnings"])) == (200, True)
        stop.set()
        thread.join()
        events = wait_for(lambda: planned(server, len(sent)), what="all events to be planned")
        metrics = requests.get(f"{server.url}/metrics", timeout=30).text
    # On a loaded machine, one of them may take longer.
    assert min(delays) < 3, delays
    assert max(delays) < 30, delays
    assert "tableau_webhooks_rules_version 5.0" in metrics
    for event in events:
        (job,) = event["jobs"]  # type: ignore[misc]
        assert job["rule"] == f"Version {event['rules_version']}"
    assert {event["rules_version"] for event in events} == {1, 2, 3, 4, 5}


def test_reload_applies_new_rules_and_survives_a_mistake(site: Running, tmp_path: Path) -> None:
    """SIGHUP applies a changed file; with a mistake in it the rules in force stay, and so does a later start."""
    file = tmp_path / "rules.toml"
    file.write_text(NOTHING)
    with serving(tmp_path, site.environment, RULES_FILE=str(file), WEB_CONCURRENCY="1") as server:
        send(server, 0)
        (event,) = wait_for(lambda: planned(server, 1), what="the event to be planned")
        assert event["state"] == "ignored"
        file.write_text(ADMINS.format(name="Admins"))
        os.kill(server.process.pid, signal.SIGHUP)
        wait_for(lambda: "Rules in force: version=2" in server.log.read_text(), what="the new rules")
        send(server, 1)
        newest = wait_for(lambda: planned(server, 2), what="the event to be planned")[0]
        assert newest["state"] == "planned"
        file.write_text("[[rule]\n")
        os.kill(server.process.pid, signal.SIGHUP)
        wait_for(lambda: "Rules file invalid, keeping the rules in force" in server.log.read_text(), what="the report")
        send(server, 2)
        assert wait_for(lambda: planned(server, 3), what="the event to be planned")[0]["state"] == "planned"
    with serving(tmp_path, site.environment, RULES_FILE=str(file), WEB_CONCURRENCY="1") as server:
        assert "the server starts with the rules in force" in server.log.read_text()
        send(server, 3)
        assert wait_for(lambda: planned(server, 4), what="the event to be planned")[0]["state"] == "planned"
        ended = server.flask("rules", "activate")
        assert ended.returncode == 1
        other = tmp_path / "other.toml"
        other.write_text(ADMINS.format(name="Others"))
        file.write_text(NOTHING)
        wait_for(lambda: "Rules in force: version=3" in server.log.read_text(), what="the corrected file")
        assert "Version 4" in server.flask("rules", "activate", str(other)).stdout
        wait_for(lambda: "Rules in force: version=4" in server.log.read_text(), what="the activated rules")
        heading, *versions = server.flask("rules", "history").stdout.splitlines()
        assert heading.split() == ["ID", "ACTIVATED", "UTC", "STATE", "CHANGE", "SOURCE"]
        assert [(row.split()[0], "in force" in row) for row in versions] == [
            ("4", True),
            ("3", False),
            ("2", False),
            ("1", False),
        ]
        difference = server.flask("rules", "history", "2").stdout
        assert 'added "Admins"; removed "Sites"' in difference
        assert '+name = "Admins"' in difference.splitlines()
