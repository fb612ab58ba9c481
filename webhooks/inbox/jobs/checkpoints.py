"""Recorded results of the steps of a job, so that its next attempt does not repeat them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select

from webhooks.inbox.databases.store import Store
from webhooks.inbox.jobs.tables import checkpoints
from webhooks.job import MISSING, Job, Namespace

GET = select(checkpoints.c.value).where(
    checkpoints.c.job_id == bindparam("job"),
    checkpoints.c.namespace == bindparam("namespace"),
    checkpoints.c.key == bindparam("key"),
)


@cache
def set_checkpoint(placeholder: str, now: str) -> str:
    """Return the statement that records a value: written by hand, because building one takes longer than running it.

    `placeholder` is the driver's mark for a value, `now` the SQL for the time.
    """
    return (
        f"INSERT INTO checkpoints (job_id, namespace, key, value, recorded_at) VALUES ({placeholder}, {placeholder}, "  # noqa: S608 - no values
        f"{placeholder}, {placeholder}, {now}) ON CONFLICT (job_id, namespace, key) DO NOTHING RETURNING job_id"
    )


class Checkpoints:
    """JSON values by job, namespace and key."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, job: Job, key: str, *, namespace: Namespace = Namespace.FRAMEWORK) -> Any:
        """Return the recorded JSON value, or MISSING."""
        value = self._store.scalar(GET, {"job": job.id, "namespace": namespace, "key": key})
        return MISSING if value is None else json.loads(value)

    def set(self, job: Job, key: str, value: Any, *, namespace: Namespace = Namespace.FRAMEWORK) -> None:
        """Record a JSON value; a value that is already recorded is not replaced.

        In values of the framework, which may be errors, secrets are masked. A handler's value has to come back as it
        was: raises ValueError if it contains a secret, and records nothing.
        """
        if namespace is Namespace.FRAMEWORK:
            stored = self._store.redact.in_value(value)
        elif self._store.redact.finds_in(value):
            raise ValueError(
                "it contains a secret of this server, which is not stored; return only what is needed later"
            )
        else:
            stored = value
        now, times = self._store.wall_sql()
        values = (job.id, namespace.value, key, json.dumps(stored))
        self._store.run(set_checkpoint(self._store.placeholder, now), (*values, *times))
