"""GET /metrics: complete, the same from every process, and quick."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox
from webhooks.incidents.incident import IncidentKind
from webhooks.observability.metrics import BUCKETS, INCIDENT_KINDS, PREFIX, metric_names

HOOK = "/webhook/token-of-the-test"
EVENT = {"event_type": "WorkbookCreated", "resource": "WORKBOOK", "resource_luid": "a", "created_at": "2026-01-31"}
Open = Callable[[], FlaskClient]


@pytest.fixture
def processes(settings: Settings) -> Iterator[Open]:
    """Return clients of servers that share an inbox, as the processes of one server do."""
    applications = []

    def start() -> FlaskClient:
        app = create_app(settings)
        applications.append(app)
        return app.test_client()

    yield start
    for app in applications:
        app.extensions["webhooks"].stop()


def figures(client: FlaskClient) -> dict[str, float]:
    """Return the value of each line, by name and labels without the prefix."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        one.name.removeprefix(PREFIX) + "".join(f" {value}" for value in one.labels.values()): one.value
        for family in families
        for one in family.samples
    }


def test_requests_are_counted_by_result_in_all_processes_together(processes: Open) -> None:
    """Every process reports what all have counted."""
    first, second = processes(), processes()
    for number, client in enumerate((first, second, second)):
        assert client.post(HOOK, json=EVENT | {"resource_luid": str(number)}).status_code == 200
    second.post(HOOK, json=EVENT | {"resource_luid": "0"})
    first.post("/webhook/wrong", json=EVENT)
    second.post(HOOK, data=b"{")
    first.get("/metrics")
    found = figures(second)
    assert (found["events_received_total"], found["events_duplicate_total"]) == (3, 1)
    assert (found["requests_refused_total token"], found["requests_refused_total malformed"]) == (1, 1)
    assert found["acknowledge_seconds_count"] == found["acknowledge_seconds_bucket +Inf"] == 4
    assert 0 < found["acknowledge_seconds_sum"] < 60
    assert found["jobs ready"] == found["jobs_ready"]
    assert found["events_oldest_unplanned_seconds"] > 0
    assert figures(first) == pytest.approx(found | {}, rel=1, abs=5)


def test_every_metric_of_the_list_is_there_before_anything_has_happened(processes: Open) -> None:
    """An alert has a value from the start; metrics by handler or notifier begin with the first one."""
    text = processes().get("/metrics").text
    named = set(re.findall(r"^(tableau_webhooks_\w+)", text, re.MULTILINE))
    labelled = {f"{PREFIX}{name}_total" for name in ("job_attempts", "messages")}
    assert named == metric_names() - labelled - {f"{PREFIX}slack_socket_connected"}
    assert 'incidents{kind="blind",state="open"} 0.0' in text


def test_acknowledgement_times_are_in_cumulative_buckets(processes: Open) -> None:
    """Each bucket includes the smaller ones, as Prometheus defines histograms."""
    client = processes()
    services = client.application.extensions["webhooks"]
    for seconds in (0.001, 0.02, 9.0):
        services.counters.observe("acknowledge_seconds", seconds)
    found = figures(client)
    assert [found[f"acknowledge_seconds_bucket {bound}"] for bound in BUCKETS[:3]] == [1, 1, 2]
    assert found["acknowledge_seconds_bucket 3.0"] == 2
    assert found["acknowledge_seconds_count"] == 3


def test_counters_that_cannot_be_stored_are_stored_later(tmp_path: Path) -> None:
    """An outage of the database loses no counts."""
    with closing(Inbox.open(f"sqlite:///{tmp_path}/inbox.sqlite3")) as inbox:
        inbox.counters.add("events_received")
        with closing(Inbox.open(f"sqlite:///{tmp_path}/missing/inbox.sqlite3")) as away:
            shutil.rmtree(tmp_path / "missing")
            with pytest.raises(StoreUnavailable):
                inbox.counters.flush(away.store)
        inbox.counters.add("events_received")
        inbox.counters.flush(inbox.store)
        assert inbox.counters.read(inbox.store) == {("events_received",): 2}


def test_every_kind_of_incident_has_a_metric() -> None:
    """An alert needs a value to compare before the first incident of its kind."""
    assert set(INCIDENT_KINDS) == set(get_args(IncidentKind))
