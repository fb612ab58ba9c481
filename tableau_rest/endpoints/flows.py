"""Prep flows: list, run, follow; and linked tasks, which are flows in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters
from tableau_rest.endpoints.refreshes import Refreshes, started_job
from tableau_rest.protocol import query
from tableau_rest.protocol.fields import Data, child, find_objects, objects, text
from tableau_rest.protocol.luid import HasLuid, luid_of

_READ = "tableau:flows:read"
_RUN = "tableau:flows:run"


class Flows(Refreshes):
    """Flows and linked tasks."""

    @endpoint("GET flows/{id}", since="3.3", scope=_READ, codes="404032 NotFound")
    def flow(self, luid: str | HasLuid) -> models.Flow:
        """One flow, with its owner, project and tags."""
        return models.Flow.from_json(child(self.request("GET", f"flows/{luid_of(luid)}"), "flow"))

    @endpoint("GET flows", since="3.3", scope=_READ)
    def flows(
        self, *filters: Filters, sort: str | Iterable[str] = "", page_size: int = query.PAGE
    ) -> Iterator[models.Flow]:
        """The flows the user may see. Filters: name, projectName, ownerName, createdAt, updatedAt, …"""
        names, model = ("flows", "flow"), models.Flow.from_json
        return self._list("flows", names, model, filters, sort=sort, page_size=page_size)

    @endpoint("POST flows/{id}/run", since="3.3", scope=_RUN, codes="404 NotFound, 409 Conflict")
    def run_flow(self, luid: str | HasLuid, *, parameters: Mapping[str, str] | None = None) -> models.Job:
        """Runs a flow now; returns its job. `parameters` overrides the flow's own by their LUIDs."""
        named = [{"parameterId": luid_of(key), "overrideValue": value} for key, value in (parameters or {}).items()]
        body = {"flowRunSpec": {"flowParameterSpecs": {"flowParameterSpec": named}}} if named else {}
        return started_job(self.request("POST", f"flows/{luid_of(luid)}/run", json=body))

    @endpoint("GET flows/runs", since="3.10", scope="tableau:flow_runs:read")
    def flow_runs(
        self, *filters: Filters, sort: str | Iterable[str] = "", page_size: int = query.PAGE
    ) -> Iterator[models.FlowRun]:
        """The runs of flows. Filters: flowId, userId, progress, startedAt, completedAt."""
        params = query.listing(filters, sort=sort, page_size=page_size)
        # The JSON says flowRuns twice, the XML flowRun; and the paging block may be missing.
        return self._pages("flows/runs", _runs, models.FlowRun.from_json, params)

    @endpoint("GET flows/runs/{id}", since="3.10", scope="tableau:flow_runs:read", codes="404 NotFound")
    def flow_run(self, luid: str | HasLuid) -> models.FlowRun:
        """One run of a flow."""
        found = self.request("GET", f"flows/runs/{luid_of(luid)}")
        return models.FlowRun.from_json(child(found, "flowRun") or child(found, "flowRuns"))

    @endpoint("PUT flows/runs/{id}", since="3.10", scope=_RUN, codes="404 NotFound")
    def cancel_flow_run(self, luid: str | HasLuid) -> None:
        """Cancels a run of a flow."""
        self.request("PUT", f"flows/runs/{luid_of(luid)}", repeat=True)

    @endpoint("GET tasks/runFlow", since="3.3", scope="tableau:flow_tasks:read")
    def flow_tasks(self) -> Iterator[models.Task]:
        """The flows on schedules."""
        return self._tasks("tasks/runFlow")

    @endpoint("POST tasks/runFlow/{id}/runNow", since="3.3", scope="tableau:flow_tasks:run", codes="404 NotFound")
    def run_flow_task(self, luid: str | HasLuid) -> models.Job:
        """Runs a scheduled flow now; returns its job."""
        return started_job(self.request("POST", f"tasks/runFlow/{luid_of(luid)}/runNow", json={}))

    @endpoint("GET tasks/linked", since="3.15", scope="tableau:linked_tasks:read")
    def linked_tasks(self) -> Iterator[models.LinkedTask]:
        """The linked tasks of the site."""
        return (task for task in map(models.LinkedTask.from_json, _linked(self.request("GET", "tasks/linked"))))

    @endpoint("GET tasks/linked/{id}", since="3.15", scope="tableau:linked_tasks:read", codes="404 NotFound")
    def linked_task(self, luid: str | HasLuid) -> models.LinkedTask:
        """One linked task, with its flows."""
        found = list(_linked(self.request("GET", f"tasks/linked/{luid_of(luid)}")))
        return models.LinkedTask.from_json(found[0] if found else {})

    @endpoint("POST tasks/linked/{id}/runNow", since="3.15", scope="tableau:linked_tasks:run", codes="404 NotFound")
    def run_linked_task(self, luid: str | HasLuid) -> str:
        """Runs a linked task now; returns the LUID of its job."""
        found = self.request("POST", f"tasks/linked/{luid_of(luid)}/runNow", json={})
        return text(child(found, "linkedTaskJob"), "id")


def _runs(document: Data) -> Iterator[Data]:
    """The runs of a page: under flowRuns or flowRun, once or twice."""
    outer = document.get("flowRuns")
    return objects(outer, "flowRuns") if child(document, "flowRuns").get("flowRuns") else objects(outer, "flowRun")


def _linked(document: Data) -> Iterator[Data]:
    """Linked tasks: the list and its items bear the same name, or one of them is called linkedTask."""
    found = find_objects(document, "linkedTask") if "linkedTask" in document else find_objects(document, "linkedTasks")
    for item in found:
        inner = list(objects(item, "linkedTasks")) or list(objects(item, "linkedTask"))
        yield from (inner if "id" not in item else [item])
