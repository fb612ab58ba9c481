"""Schedules of Tableau Server, which several refreshes, flows and subscriptions share."""

from __future__ import annotations

from collections.abc import Iterator

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Listing
from tableau_rest.protocol import query
from tableau_rest.protocol.luid import HasLuid, luid_of

STATES = ("Active", "Suspended")


class Schedules(Listing):
    """Schedules of Tableau Server; all sites of the server share them. Tableau Cloud has none.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_jobs_tasks_and_schedules.htm
    """

    @endpoint("GET /schedules", since="2.3")
    def schedules(self, *, page_size: int = query.PAGE_SIZE) -> Iterator[models.Schedule]:
        """Iterate over the schedules of the server."""
        path, names = "/api/{version}/schedules", ("schedules", "schedule")
        return self._list(path, names, models.Schedule, page_size=page_size)

    @endpoint(
        "PUT /schedules/{id}", since="2.3", codes="403 Forbidden: administrators of the server only, 404 NotFound"
    )
    def update_schedule(self, luid: str | HasLuid, *, state: str) -> None:
        """Activate or suspend a schedule with all its tasks: `state` is Active or Suspended."""
        if state not in STATES:
            raise ValueError(f"unknown state of a schedule {state!r}; choose one of: {', '.join(STATES)}")
        body = {"schedule": {"state": state}}
        self.request("PUT", f"/api/{{version}}/schedules/{luid_of(luid)}", json=body, repeat=True)
