"""Read the refresh tasks of a site: two lists, which are not counted among Tableau's job queries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING

from tableau_rest.errors import TableauError
from webhooks.incidents.evidence import KINDS
from webhooks.watches.expectation import ScheduledTask
from webhooks.watches.recurrence import Recurrence

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from tableau_rest.models import Task


def read_tasks(tableau: Tableau, zone: tzinfo) -> list[ScheduledTask]:
    """Return the tasks of a site. Times that Tableau gives without a zone are in `zone`. Raises TableauError.

    A server without flows, or one that does not show them to this user, has the other tasks.
    """
    found = [*_convert(tableau.extract_refresh_tasks(), zone)]
    try:
        found += _convert(tableau.flow_tasks(), zone)
    except TableauError as error:
        if not error.permanent:
            raise
    return found


def _convert(tasks: Iterator[Task], zone: tzinfo) -> Iterator[ScheduledTask]:
    for task in tasks:
        if task.content is None or task.content.kind not in KINDS:
            continue
        yield ScheduledTask(
            luid=task.luid.lower(),
            resource_luid=task.content.luid.lower(),
            resource_kind=task.content.kind,
            frequency=task.frequency,
            next_run_at=task.next_run_at,
            strikes=task.consecutive_failed_count,
            # An administrator suspends a schedule of Tableau Server for all of its tasks.
            is_active=task.schedule_state.lower() != "suspended",
            recurrence=_recurrence(
                task.frequency, task.start, task.end, tuple(tuple(sorted(one.items())) for one in task.intervals), zone
            ),
        )


# Thousands of tasks have few different schedules, and the list is read every few minutes.
@lru_cache(maxsize=4096)
def _recurrence(
    frequency: str, start: str, end: str, intervals: tuple[tuple[tuple[str, str], ...], ...], zone: tzinfo
) -> Recurrence | None:
    return Recurrence.of(frequency, start, end, [dict(one) for one in intervals], zone)
