"""Many events at once: each is answered in time whatever Tableau does, none is run twice, none is lost to a kill."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from simulator import Running
from tests.acceptance.server import TOKEN, Server, serving, wait_for
from tests.acceptance.test_way import ended, fault, slack

TABLEAU_WAITS_SECONDS = 3.0


def promoted(number: int) -> dict[str, str]:
    """An event that ends in a Slack message without a question to Tableau."""
    who = {"resource": "USER", "event_type": "AdminPromoted", "resource_name": f"User {number}"}
    return {**who, "resource_luid": f"{number:08x}-0000-4000-8000-000000000000", "created_at": "2026-01-31T09:30:00Z"}


def updated(number: int, luid: str) -> dict[str, str]:
    """An event that asks Tableau for owner, project and picture."""
    what = {"resource": "WORKBOOK", "event_type": "WorkbookUpdated", "resource_name": f"Sales {number}"}
    return {**what, "resource_luid": luid, "created_at": f"2026-01-31T09:{number:02}:00Z"}


def post(server: Server, event: dict[str, Any]) -> tuple[int, float, str]:
    """The answer's status, the seconds it took, and what it says."""
    began = time.monotonic()
    answer = requests.post(server.hook, json=event, timeout=30)
    return answer.status_code, time.monotonic() - began, answer.json().get("status", "")


def at_once(server: Server, events: list[dict[str, Any]]) -> list[tuple[int, float, str]]:
    with ThreadPoolExecutor(len(events)) as pool:
        return list(pool.map(lambda event: post(server, event), events))


def test_fifty_at_once_are_answered_whatever_tableau_does(site: Running, tmp_path: Path) -> None:
    """Tableau takes 150 ms, 2 s, 10 s, or answers nothing: no sender waits for it."""
    luid = next(iter(site.world.home.workbooks))
    with serving(tmp_path, site.environment) as server:
        for hour, trouble in enumerate([("delay", 0.15), ("delay", 2), ("delay", 10), ("refuse", 0)]):
            requests.delete(f"{site.url}/simulator/faults", timeout=5)
            fault(site, kind=trouble[0], seconds=trouble[1], target="tableau")
            events = [{**updated(n, luid), "created_at": f"2026-01-{hour + 1:02}T09:{n:02}:00Z"} for n in range(50)]
            answers = at_once(server, events)
            assert [status for status, _, _ in answers] == [200] * 50
            assert max(seconds for _, seconds, _ in answers) < TABLEAU_WAITS_SECONDS
        assert len(server.events()) == 200
        server.kill()  # else it would wait for what asks Tableau


def test_ten_identical_at_once_are_one(site: Running, tmp_path: Path) -> None:
    """Whichever process each of them meets: one event, one message, nine duplicates."""
    with serving(tmp_path, site.environment) as server:
        answers = at_once(server, [promoted(1)] * 10)
        assert sorted(said for _, _, said in answers) == ["accepted"] + ["duplicate"] * 9
        (event,) = wait_for(lambda: ended(server))
        assert event["duplicates"] == 9
        assert len(slack(site)) == 1


def test_kill_under_load_loses_nothing(site: Running, tmp_path: Path) -> None:
    """Events pour in, everything is killed with -9; each that was answered with 200 is there afterwards, and told."""
    fault(site, kind="delay", seconds=0.02, target="slack")
    acknowledged: list[str] = []

    def pour(server: Server, sender: int, stop: threading.Event) -> None:
        for number in range(1000 * sender, 1000 * sender + 1000):
            if stop.is_set():
                return
            try:
                answer = requests.post(server.hook, json=promoted(number), timeout=5)
            except requests.ConnectionError:
                return
            if answer.status_code == 200:
                acknowledged.append(f"User {number}")

    stop = threading.Event()
    with serving(tmp_path, site.environment, LEASE_SECONDS="2") as server:
        senders = [threading.Thread(target=pour, args=(server, sender, stop)) for sender in range(4)]
        for sender in senders:
            sender.start()
        wait_for(lambda: len(acknowledged) > 60, what="some events")
        server.kill()
        stop.set()
        for sender in senders:
            sender.join()
    requests.delete(f"{site.url}/simulator/faults", timeout=5)
    with serving(tmp_path, site.environment, LEASE_SECONDS="2") as server:
        events = wait_for(lambda: ended(server), seconds=60, what="all messages")
    assert set(acknowledged) <= {event["resource_name"] for event in events}
    told = {message["text"].splitlines()[0].partition(": ")[2] for message in slack(site)}
    assert set(acknowledged) <= told


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts sockets in /proc")
def test_connections_are_shared_by_the_processes(site: Running, tmp_path: Path) -> None:
    """Sixteen clients that keep their connections are not all served by one process while the other rests."""
    with serving(tmp_path, site.environment, WEB_CONCURRENCY="2") as server:
        address = urlsplit(server.url)
        workers = wait_for(lambda: _children(server.process.pid)[1:] and _children(server.process.pid), what="both")
        time.sleep(1)  # the second one's start
        idle = [_sockets(pid) for pid in workers]
        connections = [HTTPConnection(str(address.hostname), address.port, timeout=10) for _ in range(16)]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(_say_something(server), enumerate(connections)))
        held = [_sockets(pid) - before for pid, before in zip(workers, idle, strict=True)]
        for connection in connections:
            connection.close()
        assert min(held) >= 2, held


def _say_something(server: Server) -> Callable[[tuple[int, HTTPConnection]], None]:
    def say(numbered: tuple[int, HTTPConnection]) -> None:
        number, connection = numbered
        for _ in range(10):
            connection.request("POST", f"/webhook/{TOKEN}", body=json.dumps(promoted(number)))
            assert connection.getresponse().read()

    return say


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _sockets(pid: int) -> int:
    return sum("socket:" in str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink())
