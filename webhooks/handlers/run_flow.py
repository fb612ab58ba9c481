"""The run_flow and run_task actions: start a flow, or a task that Tableau has on a schedule, after an event."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from tableau_rest.protocol.luid import is_luid
from tableau_rest.protocol.query import is_expressible, where
from webhooks.context import Context
from webhooks.context.changes import DryRun, Limits, PerDay, take_use
from webhooks.context.refreshes import RefreshRefused, start_refresh
from webhooks.errors import Permanent, RetryLater, Skip
from webhooks.registry import Params, action

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Luid = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
]


class RunFlowParams(Params):
    """The flow to run."""

    flow: Name = Field(description="name of the flow, or its LUID")
    per_day: PerDay = 3
    dry_run: DryRun = False


class RunTaskParams(Params):
    """The task to run."""

    task: Luid = Field(description="LUID of the task, which tableau.extract_refresh_tasks() and flow_tasks() list")
    of_flow: bool = Field(default=False, description="the task runs a flow, not an extract refresh")
    per_day: PerDay = 3
    dry_run: DryRun = False


@action("run_flow", params=RunFlowParams)
def run_flow(context: Context, params: RunFlowParams) -> str:
    """Run a flow once. Raises Skip if it runs already, or is the one that the event is about, which would not end."""
    luid = params.flow if is_luid(params.flow) else find_flow(context, params.flow)
    if luid.lower() == str(context.luid).lower():
        raise Skip("a flow does not start itself")
    return start(context, params, "flow", luid, f"flow {params.flow}")


@action("run_task", params=RunTaskParams)
def run_task(context: Context, params: RunTaskParams) -> str:
    """Run a task once, as Run Now does in Tableau. Raises Skip if its content is being refreshed already."""
    kind = "flow task" if params.of_flow else "task"
    return start(context, params, kind, params.task, f"{kind} {params.task}")


def start(context: Context, limits: Limits, kind: str, luid: str, what: str) -> str:
    """Start a run within the limits and return that in words. Raises Skip, and RetryLater if it has to wait."""
    if limits.dry_run:
        raise Skip(f"dry run: {what} would be started")
    take_use(context, limits.per_day, of_rule=True)
    site_luid = str(context.event.site_luid or "").lower()
    try:
        job_luid = start_refresh(context, kind, luid, site_luid=site_luid)
    except RefreshRefused as refused:
        if refused.retry_at:
            raise RetryLater(str(refused), refused.retry_at) from None
        raise Skip(str(refused)) from None
    return f"{what} started, job {job_luid} in Tableau"


def find_flow(context: Context, name: str) -> str:
    """Return the LUID of the flow with exactly this name. Raises Permanent if there is none, or more than one."""
    filters: list[Any] = [where("name", "eq", name)] if is_expressible(name) else []
    found = [one for one in context.tableau.flows(*filters) if one.name == name]
    if len(found) == 1:
        return found[0].luid
    if found:
        raise Permanent(
            f"{len(found)} flows are called {name}; write the LUID: {' or '.join(one.luid for one in found)}"
        )
    raise Permanent(f"The site has no flow {name}, or the server's Tableau user cannot see it")
