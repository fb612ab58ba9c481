"""Rows of the table `jobs`: insert new jobs, and make finished jobs ready again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Executable, and_, delete, select, update

from webhooks.inbox.jobs.tables import checkpoints, jobs, outage_jobs
from webhooks.inbox.limits.tables import action_uses
from webhooks.job import OPEN_STATES, JobState, NewJob


@cache
def insert_statement(dialect: str) -> Executable:
    """Return the INSERT of jobs. It is built once, because building a statement takes longer than running it.

    Only the used dialect is imported, so that commands start faster.
    """
    insert = import_module(f"sqlalchemy.dialects.{dialect}").insert(jobs)
    statement: Executable = insert.on_conflict_do_nothing(index_elements=["event_id", "key"])
    return statement


def job_row(event_id: int | None, job: NewJob) -> dict[str, Any]:
    """Return the columns of a new job without its times."""
    return {
        "event_id": event_id,
        "key": job.key,
        "rule": job.rule,
        "handler": job.handler,
        "params": json.dumps(dict(job.params)),
        "conditions": json.dumps(dict(job.where)),
        "state": int(JobState.READY),
        "attempts": 0,
        "max_attempts": job.max_attempts,
        "urgent": int(job.urgent),
    }


def insert_jobs(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Insert jobs; a job whose event already has its key is not changed."""
    if rows:
        connection.execute(insert_statement(connection.dialect.name), rows)


def requeue_jobs(connection: Connection, job_ids: Sequence[int], *, now: float, wall: float) -> int:
    """Make finished jobs ready as if they were new, created at `wall`, and return how many.

    Their checkpoints, uses of actions and outages are deleted, so that they do everything again.
    """
    finished = and_(jobs.c.id.in_(job_ids), jobs.c.state.not_in(OPEN_STATES))
    ids = connection.execute(select(jobs.c.id).where(finished).with_for_update()).scalars().all()
    for table in (checkpoints, action_uses, outage_jobs):
        connection.execute(delete(table).where(table.c.job_id.in_(ids)))
    new = {"state": int(JobState.READY), "attempts": 0, "error": None, "finished_at": None, "announced_at": None}
    requeue = update(jobs).where(jobs.c.id.in_(ids)).values(**new, due_at=now, created_at=wall)
    return connection.execute(requeue).rowcount
