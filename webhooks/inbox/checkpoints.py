"""What a job has already done, so that its next attempt does not do it again."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, select

from webhooks.inbox.databases.store import Store, upsert
from webhooks.inbox.schema import steps
from webhooks.job import Job


class Missing:
    """Stands for a step that has not been recorded; None is a result like any other."""


MISSING = Missing()


class Steps:
    """The table behind `once(key, function)`."""

    store: Store

    def recorded(self, job: Job, key: str) -> Any:
        """The JSON value that the step gave, or MISSING."""
        found = select(steps.c.value).where(steps.c.job_id == job.id, steps.c.key == key)
        value = self.store.read(lambda connection: connection.execute(found).scalar())
        return MISSING if value is None else json.loads(value)

    def record(self, job: Job, key: str, value: Any) -> None:
        """Keeps the step's result (any JSON value); the first one stays."""
        row = {"job_id": job.id, "key": key, "value": json.dumps(value)}

        def keep(connection: Connection) -> None:
            stamped = upsert(connection, steps).values(**row, recorded_at=self.store.now())
            connection.execute(stamped.on_conflict_do_nothing(index_elements=["job_id", "key"]))

        self.store.write(keep)
