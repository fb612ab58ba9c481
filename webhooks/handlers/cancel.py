"""The cancel action: cancel the run of a workbook, data source or flow that takes too long."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tableau_rest.errors import Conflict
from tableau_rest.protocol.query import where
from webhooks.context import Context
from webhooks.context.changes import Change, DryRun, PerDay, change_once, content_now
from webhooks.context.job_queries import take_job_query
from webhooks.errors import Skip
from webhooks.event import happened_at
from webhooks.incidents.wording import duration
from webhooks.registry import Params, action

if TYPE_CHECKING:
    from tableau_rest.models import Job

KINDS = ("workbook", "datasource", "flow")
# The start of a run differs by seconds between its webhook and Tableau's job list.
TOLERANCE = timedelta(minutes=2)
ENDED = "the run has ended meanwhile"


class CancelParams(Params):
    """The time after which a run is cancelled, and the limits."""

    after: int = Field(0, ge=0, le=1380, description="minutes to wait; the run is cancelled if it still runs then")
    per_day: PerDay = 3
    dry_run: DryRun = False


@action("cancel", params=CancelParams)
def cancel(context: Context, params: CancelParams) -> str:
    """Cancel the run that the event is about, if it still runs. Raises Skip if it does not.

    A run that began after the event is another one, which is not cancelled.
    """
    if params.after:
        context.wait("after", [60.0 * params.after], f"Waiting whether it still runs after {params.after} minutes")

    def find() -> Change:
        content = content_now(context, KINDS, "has no runs")
        latest = (happened_at(context.event) or context.now()) + TOLERANCE
        running = _running_job(context, content)
        if running is None:
            raise Skip(ENDED)
        if running.started_at is not None and running.started_at > latest:
            raise Skip(f"{ENDED}; another one began at {running.started_at:%H:%M} UTC")

        def make() -> None:
            take_job_query(context)
            try:
                context.tableau.cancel_job(running.luid)
            except Conflict:
                raise Skip(ENDED) from None

        since = f" after {duration(context.now() - running.started_at)}" if running.started_at else ""
        return Change(f"run {running.luid}{since}", "cancelled", make)

    return change_once(context, params, find)


def _running_job(context: Context, content: Any) -> Job | None:
    """Return the job of the refresh or the flow run that runs now. Raises RetryLater if too many jobs were queried."""

    def job(luid: str) -> Job:
        take_job_query(context)
        return context.tableau.job(luid)

    if content.kind == "flow":
        # The list of runs is not counted among queries of jobs.
        runs = context.tableau.flow_runs(where("flowId", "eq", content.luid))
        luid = next((run.job_luid for run in runs if run.status == "InProgress" and run.job_luid), None)
        return job(luid) if luid else None
    take_job_query(context)
    return context.tableau.running_job(content, name=content.name, details=job)
