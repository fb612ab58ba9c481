"""Test the sample payloads of `flask trigger`."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest

from webhooks.cli.trigger.sample import FOLDER, SITE, created_at, customize, kind_of, luid, sample, text
from webhooks.event import CORE_FIELDS, parse
from webhooks.event_types import EVENT_TYPES, JOB_LIST_EVENT_TYPES, RULE_EVENT_TYPES

AT = datetime(2026, 1, 31, 9, 30, 0, 941000, tzinfo=UTC)


def test_each_event_type_has_a_sample() -> None:
    """There is one file under samples/ for each event type that rules may be about, and no other."""
    assert sorted(file.stem for file in FOLDER.iterdir()) == sorted(RULE_EVENT_TYPES)


@pytest.mark.parametrize("event_type", JOB_LIST_EVENT_TYPES)
def test_a_sample_from_the_job_list_has_the_form_of_the_monitors_events(event_type: str) -> None:
    """It names the job and, for a failure, the reason; its LUID is one of the kind that the event is about."""
    payload = sample(event_type)
    reason = ["reason"] if "Failed" in event_type else []
    assert sorted(payload) == sorted([*CORE_FIELDS, "job_luid", *reason])
    event = parse(json.dumps(payload).encode())
    assert event
    assert event.content_kind == kind_of(event_type)
    assert payload["resource_luid"] == luid(kind_of(event_type), payload["resource_name"])


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_sample_has_the_form_of_tableaus_payloads(event_type: str) -> None:
    """A sample has seven fields, the documented resource, valid LUIDs, and a text that repeats the others."""
    payload = json.loads((FOLDER / f"{event_type}.json").read_text(encoding="utf-8"))
    assert sorted(payload) == sorted([*CORE_FIELDS, "text"])
    assert payload["event_type"] == event_type
    assert payload["resource"] == EVENT_TYPES[event_type].resource
    assert payload["resource_luid"] == luid(kind_of(event_type), payload["resource_name"])
    assert payload["site_luid"] == luid("site", SITE)
    event = parse(json.dumps(payload).encode())
    assert event
    assert event.content_kind == kind_of(event_type)
    at = datetime.fromisoformat(payload["text"].rpartition(" ")[2])
    assert payload["text"] == text(payload, at)
    assert payload["created_at"] == created_at(at)


def test_luids_depend_on_name_and_kind() -> None:
    """Refresh and publication of a workbook have the same LUID; a data source of that name has another."""
    workbook = customize(sample("WorkbookCreated"), at=AT, name="Marge")
    refresh = customize(sample("WorkbookRefreshFailed"), at=AT, name="Marge")
    assert workbook["resource_luid"] == refresh["resource_luid"]
    assert customize(sample("DatasourceCreated"), at=AT, name="Marge")["resource_luid"] != workbook["resource_luid"]
    assert uuid.UUID(workbook["resource_luid"]).version == 4


def test_times_have_the_form_of_tableaus() -> None:
    """created_at has whole seconds, rounded; text has milliseconds."""
    payload = customize(sample("WorkbookCreated"), at=AT, name="Marge")
    assert payload["created_at"] == "2026-01-31T09:30:01Z"
    assert payload["text"].startswith(f"Event WorkbookCreated for resource Marge: {payload['resource_luid']} on site ")
    assert payload["text"].endswith(" posted at 2026-01-31T09:30:00.941Z")


def test_changes_override_name_and_time() -> None:
    """Changes override name and time, text repeats them, and a field can be left out."""
    changes = {"created_at": "never", "resource_name": None, "added": [1]}
    payload = customize(sample("SiteUpdated"), at=AT, name="x", changes=changes, without=["site_luid"])
    assert (payload["created_at"], payload["resource_name"], payload["added"]) == ("never", None, [1])
    assert "site_luid" not in payload
    assert customize(sample("SiteUpdated"), at=AT, changes={"text": ""})["text"] == ""


@pytest.mark.parametrize(("event_type", "resource"), [("FlowCompleted", "FLOW"), ("", "CONTENT"), ("test", "TEST")])
def test_an_unknown_type_has_a_sample_like_the_others(event_type: str, resource: str) -> None:
    """The payload of an unknown type has the same seven fields."""
    payload = sample(event_type)
    assert sorted(payload) == sorted([*CORE_FIELDS, "text"])
    assert (payload["event_type"], payload["resource"]) == (event_type, resource)
