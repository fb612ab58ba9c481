"""The objects that the API returns about resources, for its description."""

from __future__ import annotations

from pydantic import Field

from webhooks.api.objects import Incident, Returned, Run, Time
from webhooks.incidents.evidence import ResourceKind, RunOutcome


class Resource(Returned):
    """A workbook, data source or flow that has runs."""

    luid: str
    kind: ResourceKind
    site_luid: str
    name: str
    project: str
    owner: str
    last_run_at: Time
    outcomes: list[RunOutcome] = Field(description="outcomes of the last runs, newest first")
    incident: int | None = Field(description="number of its open incident")


class FreshMonth(Returned):
    """A month in which content was fresh in time on `kept` of `total` days."""

    month: str = Field(description="such as 2026-01")
    kept: int
    total: int


class Freshness(Returned):
    """The promise of a watch that content is fresh by a time of the day in TIMEZONE."""

    watch: str
    fresh_by: str
    months: list[FreshMonth]


class ResourceStory(Resource):
    """A resource with its last runs."""

    last_success_at: Time
    next_expected_at: Time = Field(description="when its next run is expected, as far as schedules say")
    strikes: int = Field(description="failures in a row; after 5 Tableau suspends the schedule")
    freshness: list[Freshness]
    incidents: list[Incident]
    runs: list[Run]
