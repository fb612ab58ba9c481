"""Recorded results of the steps of a job, so that its next attempt does not repeat them."""

from __future__ import annotations

import json
from typing import Any

from webhooks.inbox.databases import raw_sql
from webhooks.inbox.databases.store import Store
from webhooks.inbox.jobs.attempt_sql import set_checkpoint
from webhooks.job import MISSING, Checkpoint, Job, Namespace

GET = "SELECT value FROM checkpoints WHERE job_id = ? AND namespace = ? AND key = ?"


def checkpoint_row(store: Store, checkpoint: Checkpoint) -> tuple[str, str, str]:
    """Return the namespace, the key and the JSON to store.

    In values of the framework, which may be errors, secrets are masked. A handler's value has to come back as it was:
    raises ValueError if it contains a secret.
    """
    value = checkpoint.value
    if checkpoint.namespace is Namespace.FRAMEWORK:
        value = store.redact.in_value(value)
    elif store.redact.finds_in(value):
        raise ValueError("it contains a secret of this server, which is not stored; return only what is needed later")
    return checkpoint.namespace.value, checkpoint.key, json.dumps(value)


class Checkpoints:
    """JSON values by job, namespace and key."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, job: Job, key: str, *, namespace: Namespace = Namespace.FRAMEWORK) -> Any:
        """Return the recorded JSON value, or MISSING."""
        row = self._store.read(
            lambda connection: raw_sql.execute(connection, GET, job.id, namespace.value, key).fetchone()
        )
        return MISSING if row is None else json.loads(row[0])

    def set(self, job: Job, key: str, value: Any, *, namespace: Namespace = Namespace.FRAMEWORK) -> None:
        """Record a JSON value; a value that is already recorded is not replaced.

        Raises ValueError, and records nothing, if a handler's value contains a secret.
        """
        self.record(job, Checkpoint(key, value, namespace))

    def record(self, job: Job, checkpoint: Checkpoint) -> None:
        """Do the same with a checkpoint."""
        now, times = self._store.wall_sql()
        values = (job.id, *checkpoint_row(self._store, checkpoint))
        self._store.run(set_checkpoint(self._store.placeholder, now), (*values, *times))
