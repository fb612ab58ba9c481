"""Start refreshes in Tableau for rules and people, within Tableau's limit of starts per hour and site."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from notifiers.limits import Limit
from tableau_rest import AlreadyRunning, NotFound
from webhooks.context.lookup import kind_noun
from webhooks.job import MISSING, Namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from tableau_rest.models import Job as TableauJob
    from webhooks.context.context import Context
    from webhooks.inbox import Inbox

# Tableau Cloud starts no more by REST, https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_data_sources.htm
STARTS, SECONDS = 60, 3600.0
# The checkpoint with the LUID of Tableau's job.
STARTED = "refresh"
# The details of a row of the audit log begin with this, before the reason.
NOT_STARTED = "not started"


class RefreshRefused(Exception):
    """No refresh was started, for this reason; `retry_at` is when it can be tried again, if that helps."""

    def __init__(self, reason: str, retry_at: datetime | None = None) -> None:
        super().__init__(reason)
        self.retry_at = retry_at


def take_start(inbox: Inbox, site_luid: str) -> None:
    """Count a start of a refresh on the site against Tableau's limit. Raises RefreshRefused if it is reached."""
    if again := inbox.budgets.take([Limit(f"tableau refresh starts {site_luid.lower()}", STARTS, SECONDS)]):
        words = f"Tableau accepts {STARTS} refreshes an hour; the next one can start at {again:%H:%M} UTC"
        raise RefreshRefused(words, again)


def is_started(context: Context) -> bool:
    """Return whether an earlier attempt of the job has started its refresh."""
    return context.inbox.checkpoints.get(context.job, STARTED, namespace=Namespace.HANDLER) is not MISSING


def start_refresh(context: Context, kind: str, luid: str, *, site_luid: str, incremental: bool = False) -> str:
    """Start a refresh of content once per job, and return the LUID of Tableau's job.

    `kind` is workbook, datasource, flow, task or flow task. Raises RefreshRefused, and TableauError.
    """

    def start() -> str:
        tableau = context.tableau
        take_start(context.inbox, site_luid)
        starts: dict[str, Callable[[str], TableauJob]] = {
            "workbook": partial(tableau.refresh_workbook, incremental=incremental),
            "datasource": partial(tableau.refresh_datasource, incremental=incremental),
            "flow": tableau.run_flow,
            "task": tableau.run_extract_refresh_task,
            "flow task": tableau.run_flow_task,
        }
        job = starts[kind](luid)
        context.log.info("Refresh started: content=%s tableau_job=%s", luid, job.luid)
        return job.luid

    try:
        return str(context.once(STARTED, start))
    except AlreadyRunning:
        raise RefreshRefused("a refresh is queued or running already") from None
    except NotFound:
        raise RefreshRefused(f"this {kind_noun(kind)} no longer exists") from None
