"""Prep flows: list, run, follow; and linked tasks, which run several flows in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tableau_rest import errors, models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Filters, list_items
from tableau_rest.endpoints.refreshes import Refreshes
from tableau_rest.protocol import query
from tableau_rest.protocol.fields import BARE, Data, child, find_objects, objects, text
from tableau_rest.protocol.luid import HasLuid, luid_of

_READ = "tableau:flows:read"
_RUN = "tableau:flows:run"


class Flows(Refreshes):
    """Flows and linked tasks.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_flow.htm
    """

    @endpoint("GET flows/{id}", since="3.3", scope=_READ, codes="404032 NotFound")
    def flow(self, luid: str | HasLuid) -> models.Flow:
        """Return a flow with its owner, project and tags."""
        return self._get(models.Flow, f"flows/{luid_of(luid)}", "flow")

    @endpoint("GET flows", since="3.3", scope=_READ)
    def flows(
        self, *filters: Filters, sort: str | Iterable[str] = "", page_size: int = query.PAGE_SIZE
    ) -> Iterator[models.Flow]:
        """Iterate over the flows that the user may see.

        Filters: name, projectName, ownerName, createdAt, …
        """
        return self._list("flows", ("flows", "flow"), models.Flow, filters, sort=sort, page_size=page_size)

    @endpoint("POST flows/{id}/run", since="3.3", scope=_RUN, codes="404 NotFound, 409 Conflict")
    def run_flow(self, luid: str | HasLuid, *, parameters: Mapping[str, str] | None = None) -> models.Job:
        """Run a flow now; return its job. `parameters` overrides the flow's parameters, by their LUIDs."""
        named = [{"parameterId": luid_of(key), "overrideValue": value} for key, value in (parameters or {}).items()]
        body = {"flowRunSpec": {"flowParameterSpecs": {"flowParameterSpec": named}}} if named else {}
        return self._start_job(f"flows/{luid_of(luid)}/run", body)

    @endpoint("GET flows/runs", since="3.10", scope="tableau:flow_runs:read")
    def flow_runs(
        self, *filters: Filters, sort: str | Iterable[str] = "", page_size: int = query.PAGE_SIZE
    ) -> Iterator[models.FlowRun]:
        """Iterate over the runs of flows. Filters: flowId, userId, progress, startedAt, completedAt."""
        params = query.list_parameters(filters, sort=sort, page_size=page_size)

        def read(page: Data) -> list[Data]:
            # In JSON the items are called flowRuns like the list; in XML they are called flowRun.
            inner = "flowRuns" if child(page, "flowRuns").get("flowRuns") else "flowRun"
            return list_items(page, "flowRuns", inner)

        return self._list_pages("flows/runs", read, models.FlowRun, params)

    @endpoint("GET flows/runs/{id}", since="3.10", scope="tableau:flow_runs:read", codes="404 NotFound")
    def flow_run(self, luid: str | HasLuid) -> models.FlowRun:
        """Return one run of a flow."""
        return self._get(models.FlowRun, f"flows/runs/{luid_of(luid)}", "flowRun", "flowRuns")

    @endpoint("PUT flows/runs/{id}", since="3.10", scope="tableau:flow_runs:update", codes="404 NotFound")
    def cancel_flow_run(self, luid: str | HasLuid) -> None:
        """Cancel a run of a flow."""
        self.request("PUT", f"flows/runs/{luid_of(luid)}", repeat=True)

    @endpoint("GET tasks/runFlow", since="3.3", scope="tableau:flow_tasks:read")
    def flow_tasks(self) -> Iterator[models.Task]:
        """Iterate over the scheduled flows."""
        return self._tasks("tasks/runFlow")

    @endpoint("POST tasks/runFlow/{id}/runNow", since="3.3", scope="tableau:flow_tasks:run", codes="404 NotFound")
    def run_flow_task(self, luid: str | HasLuid) -> models.Job:
        """Run a scheduled flow now; return its job."""
        return self._start_job(f"tasks/runFlow/{luid_of(luid)}/runNow")

    @endpoint("GET tasks/linked", since="3.15")
    def linked_tasks(self) -> Iterator[models.LinkedTask]:
        """Iterate over the linked tasks of the site."""
        document = self.request("GET", "tasks/linked")
        if not document.keys() & {"linkedTasks", "linkedTask", BARE}:
            raise errors.InvalidResponse("Tableau's response has no list of linked tasks")
        return (models.LinkedTask.from_json(item) for item in _linked_tasks(document))

    @endpoint("GET tasks/linked/{id}", since="3.15", codes="404 NotFound")
    def linked_task(self, luid: str | HasLuid) -> models.LinkedTask:
        """Return one linked task with its flows."""
        asked = luid_of(luid)
        found = next(iter(_linked_tasks(self.request("GET", f"tasks/linked/{asked}"))), {})
        return self._read(models.LinkedTask, {"linkedTask": found}, "linkedTask", luid=asked)

    @endpoint("POST tasks/linked/{id}/runNow", since="3.15", codes="404 NotFound")
    def run_linked_task(self, luid: str | HasLuid) -> str:
        """Run a linked task now; return the LUID of its job."""
        response = self.request("POST", f"tasks/linked/{luid_of(luid)}/runNow", json={})
        return self._read(models.Reference, response, "linkedTaskJob").luid


def _linked_tasks(document: Data) -> Iterator[Data]:
    """Yield the linked tasks in a document; the list and its items are both called linkedTasks, or one linkedTask."""
    if BARE in document:
        yield from objects(document, "linkedTasks")
        return
    found = find_objects(document, "linkedTask" if "linkedTask" in document else "linkedTasks")
    for item in found:
        if text(item, "id"):
            yield item
        else:
            yield from list(objects(item, "linkedTasks")) or list(objects(item, "linkedTask"))
