"""Know when the refreshes of one site are expected next, and which of its tasks Tableau has suspended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from tableau_rest.errors import TableauError
from webhooks.incidents import IncidentFilter
from webhooks.incidents.evidence import ResourceKind
from webhooks.incidents.incident_filter import OPEN_STATES
from webhooks.monitor.watches.catalog import Contents
from webhooks.monitor.watches.declarations import Declarations
from webhooks.monitor.watches.recorder import Recorder
from webhooks.monitor.watches.tasks import read_tasks
from webhooks.watches.expectation import STRIKE_LIMIT, Expectation, ScheduledTask, learned, scheduled
from webhooks.watches.rhythm import Rhythm, learn_rhythm

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from webhooks.inbox import Inbox

log = logging.getLogger(__name__)

# The lists of tasks are not counted among Tableau's job queries. A run that is announced later than this before its
# time, by a schedule that was changed, is expected from its next time on.
LIST_EVERY = timedelta(minutes=10)
LEARN_EVERY = timedelta(hours=1)
# Runs of the past from which a rhythm is learned.
LEARN_FROM = timedelta(days=60)
# A time that is past: at once.
EPOCH = datetime.fromtimestamp(1, UTC)
# What is remembered across starts: the site, and the suspended tasks with the time when that was seen.
STATE = "watch"


class Schedules:
    """The schedules of one site, from Tableau's tasks and from the runs of the past."""

    def __init__(
        self,
        inbox: Inbox,
        tableau: Callable[[], Tableau],
        contents: Contents,
        recorder: Recorder,
        zone: tzinfo,
        *,
        declarations: Declarations,
        key: str = "",
    ) -> None:
        self._inbox, self._tableau, self._contents = inbox, tableau, contents
        self._declarations, self._declared = declarations, list[Expectation]()
        self._recorder, self._zone = recorder, zone
        self._key = STATE + key
        self.site_luid = ""
        self._tasks: dict[str, ScheduledTask] = {}
        # Content without a task that has runs.
        self._refreshed: frozenset[str] = frozenset()
        self._rhythms: dict[str, tuple[ResourceKind, Rhythm]] = {}
        # Incidents of which the last failure has an event, so that rules notify of it.
        self._announced: set[int] = set()
        self._listed_at: datetime | None = None
        self._learned_at: datetime | None = None

    def refresh(self, now: datetime) -> None:
        """Read the tasks if that is due; that Tableau is unavailable is logged, and what is known stays."""
        if self._listed_at is not None and timedelta() <= now - self._listed_at < LIST_EVERY:
            return
        before = self._inbox.state.get(self._key) or {}
        self.site_luid = self.site_luid or before.get("site", "")
        self._listed_at = now
        try:
            tasks = {task.luid: task for task in read_tasks(self._tableau(), self._zone)}
            self.site_luid = self._tableau().session().site_luid.lower()
        except TableauError as error:
            log.warning("Schedules not read: %s", error)
            return
        removed = {task.resource_luid: task for task in self._tasks.values()}
        self._tasks = tasks
        scheduled_content = {task.resource_luid for task in tasks.values()}
        for luid in removed.keys() - scheduled_content:
            self._recorder.unscheduled(luid, removed[luid].resource_kind, self.site_luid, self._name(luid, now), now)
        self._note_suspended(before.get("suspended", {}), before.get("site", ""), now)
        self._note_strikes(now)
        self._learn(now)
        expected = scheduled(tasks.values(), now)
        last_runs = self._inbox.run_history.last_starts(self.site_luid, self._rhythms.keys(), now - LEARN_FROM)
        for luid, (kind, rhythm) in self._rhythms.items():
            if luid in last_runs:
                expected.append(learned(rhythm, luid, kind, last_runs[luid]))
        expected += self._declare({*scheduled_content, *self._refreshed}, now)
        running_tasks = {task.luid for task in tasks.values() if task.is_active and not task.is_suspended}
        self._inbox.expected_runs.announce(self.site_luid, expected, now, tasks=running_tasks)

    def period(self, expected: Expectation) -> timedelta | None:
        """Return the shortest time between two runs of what is expected; None if it is unknown."""
        if expected.task in self._tasks:
            return self._tasks[expected.task].period
        rhythm = self._rhythms.get(expected.resource_luid)
        return rhythm[1].period if rhythm else None

    def within(self, expected: Expectation) -> timedelta:
        """Return how long before its time a declared refresh may have succeeded."""
        return (self._declarations.within(expected.watch) or timedelta()) if expected.is_declared else timedelta()

    def _declare(self, luids: Collection[str], now: datetime) -> list[Expectation]:
        """Return what is declared of content that is refreshed; what was known before, if Tableau cannot be read."""
        try:
            self._declared = self._declarations.expected(luids, self.site_luid, now)
        except TableauError as error:
            log.warning("Content not listed: %s", error)
        return [one for one in self._declared if one.at > now]

    def _note_suspended(self, known: Mapping[str, float], site: str, now: datetime) -> None:
        """Record the tasks that Tableau has suspended since the last list; both are as they are remembered."""
        suspended = {luid: task for luid, task in self._tasks.items() if task.is_suspended}
        for luid, task in suspended.items():
            if luid not in known:
                self._recorder.suspended(task, self.site_luid, self._name(task.resource_luid, now), now)
        found = {luid: known.get(luid, now.timestamp()) for luid in suspended}
        if found != known or self.site_luid != site:
            self._inbox.state.set(self._key, {"site": self.site_luid, "suspended": found})

    def _note_strikes(self, now: datetime) -> None:
        """Let the messages about failing content show Tableau's count of failures in a row, also if none is reported.

        So a suspension is announced even if the webhooks of the last failures were lost. Content that failed before
        this server was installed has no message; it gets one before the failure that suspends its schedule.
        """
        strikes: dict[str, int] = {}
        for task in self._tasks.values():
            strikes[task.resource_luid] = max(task.strikes, strikes.get(task.resource_luid, 0))
        if not any(strikes.values()):
            return
        for record in self._inbox.incidents.list(IncidentFilter(states=OPEN_STATES, kinds=("failing",)), limit=None):
            number = strikes.get(record.incident.resource_luid, 0)
            if record.incident.site_luid != self.site_luid:
                continue
            if number > (record.details.strikes or 0):
                self._inbox.incidents.save_details(record.id, replace(record.details, strikes=number))
                self._inbox.incidents.save_due(record.id, EPOCH)
            if number == STRIKE_LIMIT - 1 and record.event_id is None and record.id not in self._announced:
                self._recorder.last_failure(record.incident, now)
                self._announced.add(record.id)

    def _learn(self, now: datetime) -> None:
        """Learn the rhythms of content without a task."""
        if self._learned_at is not None and now - self._learned_at < LEARN_EVERY:
            return
        self._learned_at, self._rhythms = now, {}
        since = now - LEARN_FROM
        scheduled_content = {task.resource_luid for task in self._tasks.values()}
        found = self._inbox.run_history.unscheduled(self.site_luid, scheduled_content, since)
        # A schedule that was removed was removed on purpose: its runs are no reason to expect more.
        had_schedule = self._inbox.expected_runs.scheduled_since(self.site_luid, found.keys(), since)
        self._refreshed = frozenset(found)
        for luid, (kind, times) in found.items():
            last_scheduled = had_schedule.get(luid)
            starts: Sequence[datetime] = [at for at in times if last_scheduled is None or at > last_scheduled]
            rhythm = learn_rhythm(starts, now, self._zone)
            if rhythm is not None:
                self._rhythms[luid] = (kind, rhythm)

    def _name(self, luid: str, now: datetime) -> str:
        return self._contents.name(luid, now) or self._inbox.run_history.name(luid)
