"""The sample events: one for each type, as Tableau sends them."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest

from webhooks.cli.trigger.sample import FOLDER, SITE, created_at, customize, kind_of, luid, sample, text
from webhooks.event import CORE_FIELDS, parse
from webhooks.event_types import EVENT_TYPES

AT = datetime(2026, 1, 31, 9, 30, 0, 941000, tzinfo=UTC)


def test_there_is_one_sample_for_each_event_type() -> None:
    """The files under samples/ are the catalogue's event types, all of them and no other."""
    assert sorted(file.stem for file in FOLDER.iterdir()) == sorted(EVENT_TYPES)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_sample_is_what_tableau_sends(event_type: str) -> None:
    """Seven fields, the right resource, real LUIDs, and a text that repeats the others."""
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


def test_luids_are_stable_and_tell_kinds_apart() -> None:
    """A refresh of Sales and the publication of Sales are about one workbook; a data source Sales is another thing."""
    one = customize(sample("WorkbookCreated"), at=AT, name="Marge")
    other = customize(sample("WorkbookRefreshFailed"), at=AT, name="Marge")
    assert one["resource_luid"] == other["resource_luid"]
    assert customize(sample("DatasourceCreated"), at=AT, name="Marge")["resource_luid"] != one["resource_luid"]
    assert uuid.UUID(one["resource_luid"]).version == 4


def test_fresh_tells_the_time_as_tableau_does() -> None:
    """Whole seconds in created_at, rounded; milliseconds in text."""
    payload = customize(sample("WorkbookCreated"), at=AT, name="Marge")
    assert payload["created_at"] == "2026-01-31T09:30:01Z"
    assert payload["text"].startswith(f"Event WorkbookCreated for resource Marge: {payload['resource_luid']} on site ")
    assert payload["text"].endswith(" posted at 2026-01-31T09:30:00.941Z")


def test_fresh_obeys_changes_last() -> None:
    """Changes win over name and time, text follows them, and a key can be left out."""
    changes = {"created_at": "never", "resource_name": None, "added": [1]}
    payload = customize(sample("SiteUpdated"), at=AT, name="x", changes=changes, without=["site_luid"])
    assert (payload["created_at"], payload["resource_name"], payload["added"]) == ("never", None, [1])
    assert "site_luid" not in payload
    assert customize(sample("SiteUpdated"), at=AT, changes={"text": ""})["text"] == ""


@pytest.mark.parametrize(("event_type", "resource"), [("FlowCompleted", "FLOW"), ("", "CONTENT"), ("test", "TEST")])
def test_sample_of_an_unknown_type_is_like_the_others(event_type: str, resource: str) -> None:
    """Tableau's list grows; what is not known yet gets the same seven fields."""
    payload = sample(event_type)
    assert sorted(payload) == sorted([*CORE_FIELDS, "text"])
    assert (payload["event_type"], payload["resource"]) == (event_type, resource)
