"""Received events and acts are in the log with their ids."""

from __future__ import annotations

import logging

import pytest
from flask.testing import FlaskClient

from tests.dashboard.conftest import fail
from webhooks.api.blueprint import PREFIX
from webhooks.inbox import Inbox

EVENT = {"event_type": "WorkbookCreated", "resource_name": "Sales"}


def test_events_and_acts_are_logged_with_their_ids(
    client: FlaskClient, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The number of the response is in the line of the request, and an act has those of its incident and event."""
    caplog.set_level(logging.DEBUG)
    record = fail(inbox)
    for word in ("Event", "Duplicate"):
        number = client.post("/webhook/token-of-the-test", json=EVENT).json["event"]  # type: ignore[index]
        assert f"{word} received: event={number} peer=127.0.0.1" in caplog.messages
    acted = client.post(f"{PREFIX}/incidents/{record.id}/note", json={"note": "seen"})
    assert acted.status_code == 200, acted.text
    line = next(line for line in caplog.messages if line.startswith("Act stored: act='note'"))
    assert line.startswith(f"Act stored: act='note' on incident {record.id} event={record.event_id} by='local'")
    assert client.post(f"{PREFIX}/events/{number}/replay", json={}).status_code == 200
    assert f"Act stored: act='replay' on events {number} by='local'" in caplog.text
