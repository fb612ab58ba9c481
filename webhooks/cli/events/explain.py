"""`flask events explain`: show why an event led to its jobs, or to none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from webhooks.cli.events import render
from webhooks.cli.support import application, terminal
from webhooks.clock import utc_now
from webhooks.context import CONDITIONS
from webhooks.event import Event
from webhooks.job import ANNOUNCED_TO, DEAD_LETTERS, MISSING, JobState
from webhooks.planner import Plan
from webhooks.registry import RegistrationError
from webhooks.rules import RulesError
from webhooks.views import explanation
from webhooks.views.json_objects import event_object

if TYPE_CHECKING:
    from webhooks.inbox import EventRecord


def print_explanation(record: EventRecord, *, as_json: bool) -> None:
    """Print the decision of each rule and handler about the event, with its jobs."""
    decisions = explanation.explain(
        record, current_plan(record.event), checked_conditions(record), announced_destinations(record)
    )
    if as_json:
        objects = [decision.as_object() for decision in decisions]
        terminal.print_json(event_object(record, application.redact) | {"explanation": objects})
        return
    now = utc_now()
    unmade = f"not made: did not match when the event was planned; flask events replay {record.event.id} creates it"
    if record.state == "received":
        unmade = "ready: created when a worker plans the event"
    terminal.show(render.headline(record, now), render.explanation(decisions, now, application.redact, unmade=unmade))
    dead = any(job.job.state is JobState.DEAD for job in record.jobs)
    if dead and terminal.is_terminal():
        click.secho(f"\nOnce the cause is fixed: flask events replay --dead {record.event.id}", dim=True)


def current_plan(event: Event) -> Plan:
    """Return the event's plan by the rules of now; an empty one, with a warning, if they cannot be read."""
    services = application.services()
    try:
        return services.planner.plan(event)
    except (RulesError, RegistrationError) as error:
        click.secho(f"Cannot evaluate the rules, so only jobs are shown. {error}\n", fg="yellow", err=True)
        return Plan()


def checked_conditions(record: EventRecord) -> dict[int, str]:
    """Return why conditions that only Tableau can answer were met, by the ids of the jobs that asked."""
    conditional = [job.job for job in record.jobs if job.job.where]
    found = {job.id: application.inbox().checkpoints.get(job, CONDITIONS) for job in conditional}
    return {job_id: application.redact(str(reason)) for job_id, reason in found.items() if reason is not MISSING}


def announced_destinations(record: EventRecord) -> dict[int, dict[str, Any]]:
    """Return the destinations that announcements of dead letters reached and did not reach, by the ids of the jobs."""
    announcements = [job.job for job in record.jobs if job.job.handler == DEAD_LETTERS]
    found = {job.id: application.inbox().checkpoints.get(job, ANNOUNCED_TO) for job in announcements}
    return {job_id: destinations for job_id, destinations in found.items() if destinations is not MISSING}
