"""The refresh action: start a refresh of the workbook or data source that an event is about."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from tableau_rest import AlreadyRunning, NotFound
from webhooks.context import Context, kind_noun
from webhooks.errors import Skip
from webhooks.job import JobState
from webhooks.registry import Params, action

DAY = timedelta(days=1)
# The events of one content that are searched for earlier refreshes; an event can be days older than its refresh.
MAX_EVENTS = 1000


class RefreshParams(Params):
    """The limits and kind of a refresh."""

    per_day: int = Field(3, ge=1, le=100, description="maximum number of refreshes of the same content in 24 hours")
    after: int = Field(0, ge=0, le=1440, description="minutes to wait before the start")
    incremental: bool = Field(default=False, description="add new rows only; needs REST API 3.25")


@action("refresh", params=RefreshParams)
def refresh(context: Context, params: RefreshParams) -> None:
    """Start one refresh. Raises Skip if one is running, or if the content was refreshed `per_day` times in 24 hours.

    A refresh that is started because one failed may fail as well and start the next one: `per_day` ends this loop.
    """
    if context.event.content_kind not in {"workbook", "datasource"} or context.luid is None:
        raise Skip("only workbooks and data sources can be refreshed")
    if params.after:
        context.wait("after", [60.0 * params.after], f"Waiting {params.after} minutes before the refresh")
    # The refreshes that other jobs have started within 24 hours, however old their events are.
    events = context.inbox.events.list(resources=[str(context.luid)], limit=MAX_EVENTS)
    jobs = [record.job for event in events for record in event.jobs if record.job.id != context.job.id]
    done = [job for job in jobs if job.handler == context.job.handler and job.state is JobState.DONE]
    started = sum(job.finished_at is not None and job.finished_at >= context.now() - DAY for job in done)
    if started >= params.per_day:
        raise Skip(f"limit reached: refreshed {started} times within 24 hours (per_day = {params.per_day})")

    def start() -> str:
        is_workbook = context.event.content_kind == "workbook"
        start_refresh = context.tableau.refresh_workbook if is_workbook else context.tableau.refresh_datasource
        job = start_refresh(str(context.luid), incremental=params.incremental)
        context.log.info("Refresh started: content=%s tableau_job=%s", context.luid, job.luid)
        return job.luid

    try:
        context.once("refresh", start)
    except AlreadyRunning:
        raise Skip("a refresh is queued or running already") from None
    except NotFound:
        raise Skip(f"this {kind_noun(context.event.content_kind)} no longer exists") from None
