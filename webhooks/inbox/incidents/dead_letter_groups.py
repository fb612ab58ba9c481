"""Incidents about dead letters: one for each destination that cannot be notified, and for each other handler."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text

from webhooks.inbox.databases.store import Store
from webhooks.inbox.incidents.findings import Findings
from webhooks.inbox.incidents.records import IncidentRecord
from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.jobs.dead_letters import included_in
from webhooks.inbox.jobs.tables import DEAD, jobs
from webhooks.incidents import Finding
from webhooks.incidents.incident import IncidentKind
from webhooks.job import Job, dead_letter_subject

KIND: IncidentKind = "dead_letters"
OPEN_SUBJECTS = select(incidents.c.resource_luid).where(incidents.c.closed_at.is_(None), incidents.c.kind == KIND)
COUNTED = select(jobs.c.handler, jobs.c.params, func.count().label("number")).group_by(jobs.c.handler, jobs.c.params)


@dataclass(frozen=True, slots=True)
class DeadLetterGroup:
    """Dead jobs about one subject: `number` of them in an announcement, and `total` in the list of dead letters."""

    subject: str
    number: int
    total: int


class DeadLetterGroups:
    """The incidents of the kind `dead_letters`. They close when no dead job about their subject is left."""

    def __init__(self, store: Store, findings: Findings) -> None:
        self._store, self._findings = store, findings

    def of(self, announcement: Job) -> list[DeadLetterGroup]:
        """Return the subjects of the dead jobs that an announcement includes."""

        def load(connection: Connection) -> list[DeadLetterGroup]:
            condition = included_in(connection, announcement.id)
            if condition is None:
                return []
            new = _subjects(connection.execute(COUNTED.where(condition, text(DEAD))).mappings())
            total = _subjects(connection.execute(COUNTED.where(text(DEAD))).mappings())
            return [DeadLetterGroup(subject, number, total[subject]) for subject, number in new.items()]

        return self._store.read(load)

    def record(
        self, announcement: Job, group: DeadLetterGroup, now: datetime, *, title: str, reason: str
    ) -> IncidentRecord | None:
        """Open or change the incident of a group, and return it.

        Ten times as many dead letters as before alert people again. What an announcement found is recorded once.
        """
        finding = Finding.of_check(
            group.subject,
            now,
            problem=True,
            name=title,
            reason=reason,
            key=f"announcement {announcement.id} {group.number}",
            number=group.number,
            level=len(str(group.total)),
        )
        self._findings.record(KIND, finding, event_id=announcement.event.id)
        return self._findings.newest(KIND, group.subject)

    def close_solved(self, now: datetime) -> int:
        """Close the incidents of which no dead job is left, and return how many; every process may do so."""
        subjects = [row["resource_luid"] for row in self._store.rows(OPEN_SUBJECTS)]
        if not subjects:
            return 0
        rows = self._store.rows(COUNTED.where(text(DEAD)))
        remaining = _subjects(rows)
        solved = [subject for subject in subjects if not remaining[subject]]
        for subject in solved:
            last = self._findings.last(KIND, subject)
            key = f"solved {last.first_name if last else ''}"
            reason = "none of them is in the list of dead letters any more"
            self._findings.record(KIND, Finding.of_check(subject, now, problem=False, reason=reason, key=key))
        return len(solved)


def _subjects(rows: Iterable[Any]) -> Counter[str]:
    """Return the number of dead jobs of each subject."""
    found: Counter[str] = Counter()
    for row in rows:
        try:
            params = json.loads(row["params"])
        except (TypeError, ValueError):
            params = {}
        # A damaged row is a dead letter of its handler.
        subject = dead_letter_subject(row["handler"], params if isinstance(params, dict) else {})
        found[subject] += row["number"]
    return found
