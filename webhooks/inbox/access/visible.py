"""The inbox as a visitor sees it. Pages, API and agents have no other way to it, so that none can forget the scope."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from webhooks.inbox.access.scope import Scope
from webhooks.inbox.events.events import Events
from webhooks.inbox.events.lists import EventLists
from webhooks.inbox.incidents.incidents import Incidents
from webhooks.inbox.jobs.checkpoints import Checkpoints
from webhooks.inbox.notices.silences import Silences
from webhooks.inbox.records import EventRecord
from webhooks.inbox.resources.lists import ResourceLists
from webhooks.inbox.runs.overviews import Overviews
from webhooks.inbox.runs.runs import Runs

if TYPE_CHECKING:
    from webhooks.inbox import Inbox

# Jobs per transaction: an event that is received meanwhile waits for one batch.
BATCH = 200


class VisibleInbox:
    """The parts of the inbox that are limited to a scope. What is outside of it does not exist here."""

    def __init__(self, inbox: Inbox, scope: Scope) -> None:
        store = inbox.store
        self.scope = scope
        self.incidents = Incidents(store, inbox.news, scope)
        self.events = VisibleEvents(Events(store, inbox.news, scope))
        self.event_lists = EventLists(store, scope)
        self.dead_letters = VisibleDeadLetters(inbox, self.event_lists)
        self.resource_lists = ResourceLists(store, scope)
        self.runs = Runs(store, scope)
        self.overviews = Overviews(store, scope)
        self.silences = Silences(store, scope)
        # It says that something has changed, and not what.
        self.mark = inbox.mark
        # They are read by jobs, which only visible events lead to.
        self.checkpoints: Checkpoints = inbox.checkpoints


class VisibleEvents:
    """Events in the scope."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def get(self, event_id: int) -> EventRecord | None:
        """Return an event with its jobs and their attempts, or None."""
        return self._events.get(event_id)

    def list(
        self,
        *,
        event_types: Collection[str] = (),
        resources: Collection[str] = (),
        states: Collection[str] = (),
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[EventRecord]:
        """Return events, newest first; see `Events.list`."""
        return self._events.list(
            event_types=event_types, resources=resources, states=states, since=since, before=before, limit=limit
        )

    def replay(self, event_ids: Sequence[int]) -> int:
        """Run the jobs of these events again, and return how many of the events are visible."""
        return self._events.replay(event_ids)


class VisibleDeadLetters:
    """Dead jobs of events in the scope."""

    def __init__(self, inbox: Inbox, lists: EventLists) -> None:
        self._dead_letters, self._lists = inbox.dead_letters, lists

    def requeue_jobs(self, job_ids: Sequence[int]) -> int:
        """Make dead jobs ready again, and return how many."""
        batches = (job_ids[start : start + BATCH] for start in range(0, len(job_ids), BATCH))
        return sum(self._dead_letters.requeue_jobs(self._lists.visible_jobs(batch)) for batch in batches)

    def dismiss(self, job_ids: Sequence[int]) -> int:
        """Cancel dead jobs, and return how many."""
        batches = (job_ids[start : start + BATCH] for start in range(0, len(job_ids), BATCH))
        return sum(self._dead_letters.dismiss(self._lists.visible_jobs(batch)) for batch in batches)
