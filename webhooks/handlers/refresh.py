"""The refresh action: start a refresh of the workbook or data source that an event is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from webhooks.context import Context
from webhooks.context.changes import DryRun, PerDay, take_use
from webhooks.context.refreshes import RefreshRefused, is_started, start_refresh
from webhooks.errors import RetryLater, Skip
from webhooks.incidents import Act
from webhooks.registry import Params, action

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord


class RefreshParams(Params):
    """The limits and kind of a refresh."""

    per_day: PerDay = 3
    after: int = Field(0, ge=0, le=1440, description="minutes to wait before the start")
    times: int | None = Field(None, ge=1, le=20, description="maximum number of refreshes until it recovers")
    incremental: bool = Field(default=False, description="add new rows only; needs REST API 3.25")
    dry_run: DryRun = False


@action("refresh", params=RefreshParams)
def refresh(context: Context, params: RefreshParams) -> str:
    """Start one refresh, and record it with the incident of the content.

    Raises Skip if one is running, if a limit is reached, or if content that failed has recovered during the wait. A
    refresh that is started because one failed may fail as well and start the next one: `per_day` and `times` end this
    loop.
    """
    event, luid = context.event, context.luid
    if event.content_kind not in {"workbook", "datasource"} or luid is None:
        raise Skip("only workbooks and data sources can be refreshed")
    if params.after:
        context.wait("after", [60.0 * params.after], f"Waiting {params.after} minutes before the refresh")
    site_luid, author = str(event.site_luid or "").lower(), f"the rule “{context.job.rule}”"
    record = None
    if event.type.refresh == "failed":
        record = context.inbox.incidents.of_resource(site_luid, str(luid).lower(), context.now())
    _check_limits(context, params, record, author)
    if params.dry_run:
        raise Skip("dry run: a refresh would be started")
    if not is_started(context):
        take_use(context, params.per_day, words="refreshed")
    started_at = context.now()
    try:
        job_luid = start_refresh(
            context, event.content_kind, str(luid), site_luid=site_luid, incremental=params.incremental
        )
    except RefreshRefused as refused:
        if refused.retry_at:
            raise RetryLater(str(refused), refused.retry_at) from None
        raise Skip(str(refused)) from None
    if record is not None:
        act, number = Act("", "refresh", record.incident.id, started_at, author, job_luid=job_luid), record.id
        context.once("act", lambda: context.inbox.incidents.act(number, act, origin="rule").id)
    return f"refresh started, job {job_luid} in Tableau"


def _check_limits(context: Context, params: RefreshParams, record: IncidentRecord | None, author: str) -> None:
    """Raise Skip if the content has recovered, or was refreshed often enough."""
    if is_started(context):
        return
    if record is not None and not record.incident.is_open:
        raise Skip("it has recovered meanwhile")
    if record is not None and params.times is not None:
        acts = [act for act in record.incident.acts if act.kind == "refresh" and act.by == author]
        if len(acts) >= params.times:
            raise Skip(f"limit reached: refreshed {len(acts)} times since it fails (times = {params.times})")
