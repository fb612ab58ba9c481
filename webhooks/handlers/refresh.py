"""The refresh action: starts a refresh of the workbook or data source that an event is about."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from tableau_rest import AlreadyRunning, NotFound
from webhooks.context import Context
from webhooks.errors import Skip
from webhooks.job import JobState
from webhooks.registry import Params, action

DAY = timedelta(days=1)
LOOKED_BACK = 1000
"""Events of one content; they may have come days before their refresh starts."""


class RefreshParams(Params):
    """How soon, and how often at most."""

    per_day: int = Field(3, ge=1, le=100, description="at most so many starts for the same content within 24 hours")
    after: int = Field(0, ge=0, le=1440, description="minutes to wait first")
    incremental: bool = Field(default=False, description="only what is new; needs REST API 3.25")


@action("refresh", params=RefreshParams)
def refresh(context: Context, params: RefreshParams) -> None:
    """Starts it once. Raises Skip where one runs already, or where enough were started.

    A refresh that is started because one failed may fail as well, and lead here again: `per_day` ends that.
    """
    if context.event.content_kind not in {"workbook", "datasource"} or context.luid is None:
        raise Skip("only workbooks and data sources can be refreshed")
    if params.after:
        context.wait("after", [60.0 * params.after], f"it is to start after {params.after} minutes")
    started = _started(context)
    if started >= params.per_day:
        raise Skip(f"refreshed {started} times within 24 hours, which is enough (per_day = {params.per_day})")
    try:
        context.once("refresh", lambda: _start(context, params))
    except AlreadyRunning:
        raise Skip("a refresh is queued or running already") from None
    except NotFound:
        raise Skip(f"the {context.event.content_kind} is not there any more") from None


def _start(context: Context, params: RefreshParams) -> str:
    tableau, luid = context.tableau, str(context.luid)
    start = tableau.refresh_workbook if context.event.content_kind == "workbook" else tableau.refresh_datasource
    job = start(luid, incremental=params.incremental)
    context.log.info("Refresh of %s started, job %s", context.event.resource_name, job.luid)
    return job.luid


def _started(context: Context) -> int:
    """How many refreshes of this content other jobs have started within 24 hours, whenever their events came."""
    since = context.now() - DAY
    events = context.inbox.events.list(resources=[str(context.luid)], limit=LOOKED_BACK)
    jobs = [record.job for event in events for record in event.jobs if record.job.id != context.job.id]
    done = [job for job in jobs if job.handler == context.job.handler and job.state is JobState.DONE]
    return sum(job.finished_at is not None and job.finished_at >= since for job in done)
