"""Recorded results of the steps of a job, so that its next attempt does not repeat them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from webhooks.inbox.databases.store import Store
from webhooks.inbox.schema import checkpoints
from webhooks.job import MISSING, Job, Namespace


class Checkpoints:
    """JSON values by job, namespace and key."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, job: Job, key: str, *, namespace: Namespace = Namespace.FRAMEWORK) -> Any:
        """Return the recorded JSON value, or MISSING."""
        this = (checkpoints.c.job_id == job.id, checkpoints.c.namespace == namespace, checkpoints.c.key == key)
        value = self._store.scalar(select(checkpoints.c.value).where(*this))
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
        row = {"job_id": job.id, "namespace": namespace, "key": key, "value": json.dumps(stored)}
        insert = self._store.upsert(checkpoints).values(**row, recorded_at=self._store.now_sql())
        self._store.execute(insert.on_conflict_do_nothing(index_elements=["job_id", "namespace", "key"]))
