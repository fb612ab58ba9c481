"""A version of what pages show of the inbox, so that an open page is rendered only after a change."""

from __future__ import annotations

from sqlalchemy import Table, func, literal_column, select, text

from webhooks.inbox.access.tables import audit
from webhooks.inbox.databases.store import Store
from webhooks.inbox.events.tables import events
from webhooks.inbox.incidents.tables import acts, findings, incidents
from webhooks.inbox.jobs.tables import DEAD, OPEN, attempts, jobs
from webhooks.inbox.notices.tables import notices, silences
from webhooks.inbox.runs.tables import expected_runs, runs
from webhooks.inbox.server.tables import rule_versions

# Nearly every change adds a row to one of them: jobs add attempts, people add acts or rows of the audit log.
GROWING: tuple[Table, ...] = (
    events,
    jobs,
    attempts,
    runs,
    expected_runs,
    incidents,
    acts,
    findings,
    notices,
    silences,
    rule_versions,
    audit,
)
# Jobs that are counted: a large backlog is not counted to its end, and its attempts are new rows anyway.
MAX_COUNTED = 100


def read_mark(store: Store) -> str:
    """Return a text that differs after a change, with one statement that reads the end of each index.

    Some changes of old rows are not detected, such as a duplicate or the duration of a run that was found later.
    """
    ends = [select(func.max(table.c.id)).scalar_subquery() for table in GROWING]
    some = (
        select(func.count()).select_from(
            select(literal_column("1")).select_from(jobs).where(text(where)).limit(MAX_COUNTED).subquery()
        )
        for where in (OPEN, DEAD)
    )
    query = select(*ends, *(one.scalar_subquery() for one in some))
    (row,) = store.read(lambda connection: connection.execute(query).all())
    return " ".join(map(str, row))
