"""Test which open incidents are shown as one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from webhooks.inbox import IncidentRecord, ResourceDetails
from webhooks.incidents import Incident
from webhooks.views.clusters import Cluster, cluster

NOW = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)


def record(
    number: int, *, upstream: tuple[str, ...] | None = None, reason: str = "", state: str = "open"
) -> IncidentRecord:
    """Return an incident that began that many minutes ago."""
    incident = Incident(
        id=str(number),
        ids=frozenset({str(number)}),
        kind="failing",
        state=state,  # type: ignore[arg-type]
        site_luid="site",
        resource_luid=str(number),
        resource_kind="datasource",
        resource_name=f"Orders {number}",
        opened_at=NOW - timedelta(minutes=number),
        closed_at=None,
        recorded_at=NOW,
        reason=reason,
    )
    details = ResourceDetails(project=f"P{number % 2}", owner=f"O{number}", upstream=upstream)
    return IncidentRecord(number, incident, details, None, None)


def shown(records: list[IncidentRecord]) -> list[object]:
    """Return the numbers of single incidents, and the titles of those that are shown as one."""
    return [one.title if isinstance(one, Cluster) else one.id for one in cluster(records)]


def test_one_database_is_one_thing() -> None:
    """From three on, in the place of the first; the largest database takes those that read two."""
    records = [record(1)]
    records += [record(number, upstream=("PROD", "TEST")) for number in (2, 3)]
    records += [record(number, upstream=("PROD",)) for number in (4, 5)]
    records += [record(6, upstream=("TEST",)), record(7)]
    assert shown(records) == [1, "PROD: 4 data sources", 6, 7]
    joined = cluster(records)[1]
    assert isinstance(joined, Cluster)
    assert (joined.since, joined.owners, joined.projects) == (NOW - timedelta(minutes=5), 4, 2)
    assert shown(records[:3]) == [1, 2, 3]


def test_one_reason_is_one_thing() -> None:
    """From five on, if the database is not known; incidents without a reason stay single."""
    records = [record(number, reason="timed out") for number in range(1, 6)]
    assert shown(records) == ["5 data sources with the same reason"]
    assert shown(records[:4]) == [1, 2, 3, 4]
    assert shown([record(number) for number in range(1, 7)]) == [1, 2, 3, 4, 5, 6]


def test_acknowledged_incidents_stay_visible() -> None:
    """Each says who takes care of it."""
    records = [record(number, upstream=("PROD",), state="acknowledged") for number in range(1, 5)]
    assert shown(records) == [1, 2, 3, 4]
