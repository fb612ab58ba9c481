"""Refreshes of extracts: start one now, and the tasks that start them on a schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tableau_rest import errors, models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Listing
from tableau_rest.protocol.fields import BARE, items
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.protocol.version import is_older

_RUN = "tableau:tasks:run"
_CODES = "409093 AlreadyRunning, 404 NotFound, 429000 TooManyRequests: 60 starts an hour on Cloud"


class Refreshes(Listing):
    """Refreshes of extracts.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_jobs_tasks_and_schedules.htm
    """

    @endpoint("POST workbooks/{id}/refresh", since="2.8", scope=_RUN, codes=_CODES)
    def refresh_workbook(self, luid: str | HasLuid, *, incremental: bool = False) -> models.Job:
        """Queue a refresh of the workbook's extracts now; return its job. `incremental` needs REST API 3.25."""
        return self._refresh(f"workbooks/{luid_of(luid)}/refresh", incremental)

    @endpoint("POST datasources/{id}/refresh", since="2.8", scope=_RUN, codes=_CODES)
    def refresh_datasource(self, luid: str | HasLuid, *, incremental: bool = False) -> models.Job:
        """Queue a refresh of the data source's extract now; return its job. `incremental` needs REST API 3.25."""
        return self._refresh(f"datasources/{luid_of(luid)}/refresh", incremental)

    def _refresh(self, path: str, incremental: bool) -> models.Job:
        if incremental and is_older(self.version, "3.25"):
            advice = f"Incremental refreshes need REST API 3.25; this server is used with {self.version}."
            raise errors.BadRequest("This server cannot refresh incrementally", advice=advice)
        body = {"extractRefresh": {"incremental": True}} if incremental else {}
        return self._start_job(path, body)

    def _start_job(self, path: str, body: Mapping[str, object] | None = None) -> models.Job:
        """Send the call that starts a job; return the job."""
        return self._read(models.Job, self.request("POST", path, json=body or {}), "job")

    @endpoint("GET tasks/extractRefreshes", since="2.6", scope="tableau:tasks:read")
    def extract_refresh_tasks(self) -> Iterator[models.Task]:
        """Iterate over the scheduled refreshes, with their failures in a row: Tableau suspends one after five."""
        return self._tasks("tasks/extractRefreshes")

    def _tasks(self, path: str) -> Iterator[models.Task]:
        document = self.request("GET", path)
        if "tasks" not in document and BARE not in document:
            raise errors.InvalidResponse("Tableau's response has no list of tasks")
        # Servers send a list, one object, a list without a wrapper, or nothing.
        for item in items(document, "tasks", "task"):
            task = models.Task.from_json(item) if isinstance(item, Mapping) else None
            if item and (task is None or not task.luid):
                raise errors.InvalidResponse("Tableau's list of tasks has an item without an id")
            if task is not None and task.luid:
                yield task

    @endpoint("POST tasks/extractRefreshes/{id}/runNow", since="2.6", scope=_RUN, codes=_CODES)
    def run_extract_refresh_task(self, luid: str | HasLuid) -> models.Job:
        """Run a scheduled refresh now; return its job."""
        return self._start_job(f"tasks/extractRefreshes/{luid_of(luid)}/runNow")
