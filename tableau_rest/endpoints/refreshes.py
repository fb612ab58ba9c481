"""Refreshes of extracts: start one now, and the tasks that start them by schedule."""

from __future__ import annotations

from collections.abc import Iterator

from tableau_rest import errors, models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Listing
from tableau_rest.protocol import responses
from tableau_rest.protocol.fields import child, items
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.protocol.version import is_older

_RUN = "tableau:tasks:run"
_CODES = "409093 AlreadyRunning, 404 NotFound, 429000 TooManyRequests: 60 starts an hour on Cloud"


class Refreshes(Listing):
    """Refreshes of extracts."""

    @endpoint("POST workbooks/{id}/refresh", since="2.8", scope=_RUN, codes=_CODES)
    def refresh_workbook(self, luid: str | HasLuid, *, incremental: bool = False) -> models.Job:
        """Queues a refresh of the workbook's extracts now; returns its job. `incremental` needs REST API 3.25."""
        return self._refresh(f"workbooks/{luid_of(luid)}/refresh", incremental)

    @endpoint("POST datasources/{id}/refresh", since="2.8", scope=_RUN, codes=_CODES)
    def refresh_datasource(self, luid: str | HasLuid, *, incremental: bool = False) -> models.Job:
        """Queues a refresh of the data source's extract now; returns its job. `incremental` needs REST API 3.25."""
        return self._refresh(f"datasources/{luid_of(luid)}/refresh", incremental)

    def _refresh(self, path: str, incremental: bool) -> models.Job:
        if incremental and is_older(self.version, "3.25"):
            advice = f"Incremental refreshes need REST API 3.25; {self.version} is spoken. Ask for a full one."
            raise errors.BadRequest("not possible with this server", advice=advice)
        body = {"extractRefresh": {"incremental": True}} if incremental else {}
        return started_job(self.request("POST", path, json=body))

    @endpoint("GET tasks/extractRefreshes", since="2.6", scope="tableau:tasks:read")
    def extract_refresh_tasks(self) -> Iterator[models.Task]:
        """The refreshes on schedules, with the number of failures in a row: after five Tableau suspends one."""
        return self._tasks("tasks/extractRefreshes")

    def _tasks(self, path: str) -> Iterator[models.Task]:
        # Seen were a list, one object, a bare list of tasks, and nothing.
        document = self.request("GET", path)
        for task in items(document, "tasks", "task"):
            if isinstance(task, dict) and task:
                yield models.Task.from_json(task)

    @endpoint("POST tasks/extractRefreshes/{id}/runNow", since="2.6", scope=_RUN, codes=_CODES)
    def run_extract_refresh_task(self, luid: str | HasLuid) -> models.Job:
        """Runs a scheduled refresh now; returns its job."""
        return started_job(self.request("POST", f"tasks/extractRefreshes/{luid_of(luid)}/runNow", json={}))


def started_job(document: responses.Json) -> models.Job:
    """The job in the answer to a call that starts one."""
    return models.Job.from_json(child(document, "job"))
