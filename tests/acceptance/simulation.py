"""Helpers of the acceptance tests: cause events and faults in the simulator, and read the outcome."""

from __future__ import annotations

from typing import Any

import requests

from simulator import Running
from tests.support.server import Server

EVENT = {"resource": "USER", "event_type": "AdminPromoted", "resource_name": "x", "created_at": "2026-01-31T09:30:00Z"}


def cause(site: Running, **event: str) -> dict[str, Any]:
    """Let something happen in the simulated Tableau, and return the payload it sends."""
    response = requests.post(f"{site.url}/simulator/events", json=event, timeout=30)
    assert response.status_code == 200, response.text
    payload: dict[str, Any] = response.json()["event"]
    return payload


def inject_fault(site: Running, **fault: object) -> None:
    """Make the simulator fail as `fault` says."""
    assert requests.post(f"{site.url}/simulator/faults", json=fault, timeout=30).status_code < 300


def remove_faults(site: Running) -> None:
    """Let the simulator work again."""
    requests.delete(f"{site.url}/simulator/faults", timeout=30)


def slack_messages(site: Running) -> list[dict[str, Any]]:
    """Return the messages that Slack received."""
    received: list[dict[str, Any]] = requests.get(f"{site.url}/simulator/messages", timeout=30).json()["slack"]
    return received


def finished_events(server: Server) -> list[dict[str, Any]]:
    """Return all events once every event is planned and every job has ended, else an empty list."""
    events = server.events()
    jobs = [job for event in events for job in event["jobs"]]
    ended = all(job["state"] in {"done", "skipped", "dead"} for job in jobs)
    return events if ended and all(event["state"] != "received" for event in events) else []
