"""Events: search them, look at one, and run their actions again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flask import Response
from werkzeug.exceptions import BadRequest, NotFound

from webhooks.dashboard.filters import PERIODS, Filters, number_of, patterns, since_of
from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.pages.incident_acts import done
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import LARGEST_ID, Visit
from webhooks.job import ANNOUNCED_TO, DEAD_LETTERS, MISSING, STATES, JobState
from webhooks.observability.logs import log_ids
from webhooks.views import wording
from webhooks.views.explanation import explain

if TYPE_CHECKING:
    from webhooks.event import Event
    from webhooks.inbox import EventRecord
    from webhooks.job import Job
    from webhooks.planner import Plan

PATH = "/events"
NAMES = ("type", "name", "state", "period")
LABELS = {"type": "type", "name": "name", "state": "", "period": "last"}
PAGE_SIZE = 50
# Events that are replayed at once from a page.
MOST_REPLAYED = 200
# Events per transaction: an event that is received meanwhile waits for one batch.
BATCH = 50
# Characters of a payload that are shown.
MAX_PAYLOAD = 20_000


def show(visit: Visit) -> Page:
    """Show events, newest first, page by page."""
    filters = Filters.read(PATH, NAMES, visit.request.args)
    found = _search(visit, filters, before=number_of(visit.request.args.get("before", "")))
    values = {
        "title": "Events",
        "filters": filters,
        "chips": list(filters.chips(LABELS)),
        "presets": [
            ("all", PATH, not filters),
            ("last hour", f"{PATH}?period=1h", filters.one("period") == "1h"),
            ("failed refreshes", f"{PATH}?type=*RefreshFailed", filters.one("type") == "*RefreshFailed"),
            ("waiting", f"{PATH}?state=ready", filters.one("state") == "ready"),
            ("dead letters", "/dead-letters", False),
        ],
        "found": found,
        "more": filters.url(before=found.older) if found.older else None,
        "states": STATES,
        "periods": PERIODS,
        "all_url": filters.url().replace(PATH, f"{PATH}/replay", 1),
        "order": wording.ORDER,
    }
    return Page("events.html", {**frame(visit, "events"), **values})


def show_one(visit: Visit, number: int) -> Page:
    """Show an event with the decisions about it, its jobs, their attempts and its payload."""
    from webhooks.context import CONDITIONS  # noqa: PLC0415 - the worker has it already

    record = _get(visit, number)
    plan, problem = _plan(visit, record.event)
    # Why conditions that only Tableau can answer were met, and the destinations that announcements reached.
    conditions = _recorded(visit, [job.job for job in record.jobs if job.job.where], CONDITIONS)
    announced = _recorded(visit, [job.job for job in record.jobs if job.job.handler == DEAD_LETTERS], ANNOUNCED_TO)
    decisions = explain(record, plan, conditions, announced, only_matching=not visit.sees_everything)
    payload = json.dumps(dict(record.event.payload), indent=2, ensure_ascii=False)
    values = {
        "title": f"Event {number}",
        "record": record,
        "event": record.event,
        "reception": wording.reception(record),
        "decisions": decisions,
        "problem": problem,
        "payload": payload if len(payload) <= MAX_PAYLOAD else f"{payload[:MAX_PAYLOAD]}…",
        "job_words": wording,
    }
    return Page("event.html", {**frame(visit, "events"), **values})


def preview(visit: Visit) -> Page:
    """Show what a replay would do, before it is done."""
    numbers = [number_of(text) or 0 for text in visit.request.args.getlist("id")[:MOST_REPLAYED]]
    if numbers:
        records = [_get(visit, number) for number in dict.fromkeys(numbers)]
        is_whole = True
    else:
        filters = Filters.read(PATH, NAMES, visit.request.args)
        if not filters:
            raise BadRequest("Select events, or search for some.")
        found = _search(visit, filters, limit=MOST_REPLAYED)
        records = [_get(visit, line.id) for line in found.lines]
        is_whole = found.older is None
    actions, problem = _actions(visit, records)
    values = {
        "title": "Run the actions of events again",
        "records": records,
        "actions": actions,
        "problem": problem,
        "is_whole": is_whole,
        "most": MOST_REPLAYED,
    }
    return Page("replay.html", {**frame(visit, "events"), **values})


def replay(visit: Visit) -> Response:
    """Queue all jobs of the selected events again. Raises BadRequest."""
    numbers = [number_of(text) or 0 for text in visit.request.form.getlist("id")[:MOST_REPLAYED]]
    if not numbers:
        raise BadRequest("No event is selected.")
    numbers = visit.inbox.event_lists.existing(numbers)
    if not numbers:
        raise NotFound("There is none of these events; they may have expired.")
    for start in range(0, len(numbers), BATCH):
        batch = numbers[start : start + BATCH]
        with log_ids(event=batch[0] if len(batch) == 1 else None):
            visit.record("replay", "events", ", ".join(map(str, batch)))
        visit.inbox.events.replay(batch)
    visit.inbox.incidents.announce()
    return done(visit.back(f"{PATH}/{numbers[0]}" if len(numbers) == 1 else PATH), "replay")


def _search(visit: Visit, filters: Filters, *, before: int | None = None, limit: int = PAGE_SIZE) -> Any:
    period = filters.one("period")
    try:
        return visit.inbox.event_lists.page(
            event_types=filters.all("type"),
            names=patterns(filters.all("name")),
            states=filters.all("state"),
            since=since_of(visit, period) if period else None,
            before=before,
            limit=limit,
        )
    except ValueError as error:
        raise BadRequest(str(error)) from error


def _get(visit: Visit, number: int) -> EventRecord:
    record = visit.inbox.events.get(number) if 0 < number <= LARGEST_ID else None
    if record is None:
        raise NotFound(f"There is no event {number}; it may have expired.")
    return record


def _plan(visit: Visit, event: Event) -> tuple[Plan, str]:
    """Return the plan by the rules of now, and why there is none."""
    from webhooks.planner import Plan as EmptyPlan  # noqa: PLC0415 - the server has it already
    from webhooks.registry import RegistrationError  # noqa: PLC0415 - as above
    from webhooks.rules import RulesError  # noqa: PLC0415 - as above

    try:
        return visit.services.planner.plan(event), ""
    except (RulesError, RegistrationError) as error:
        reason = f" {error}" if visit.sees_everything else ""
        return EmptyPlan(), f"The rules cannot be evaluated, so only jobs are shown.{reason}"


def _actions(visit: Visit, records: Sequence[EventRecord]) -> tuple[list[tuple[str, int]], str]:
    """Return the actions that a replay would run, with their numbers, and why new ones are unknown."""
    titles: Counter[str] = Counter()
    problem = ""
    for record in records:
        plan, problem = _plan(visit, record.event)
        ended = [job.job for job in record.jobs if job.job.state not in {JobState.READY, JobState.RUNNING}]
        keys = {job.job.key for job in record.jobs}
        titles.update(wording.job_title(job) for job in ended)
        titles.update(wording.job_title(job) for job in plan.jobs if job.key not in keys)
    return titles.most_common(), problem


def _recorded(visit: Visit, jobs: Sequence[Job], checkpoint: str) -> dict[int, Any]:
    """Return what the jobs that have this checkpoint recorded in it, by their ids."""
    found = {job.id: visit.inbox.checkpoints.get(job, checkpoint) for job in jobs}
    return {job_id: value for job_id, value in found.items() if value is not MISSING}
