"""Changes that actions make in Tableau: only what is missing, once per job, and at most so often a day."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import Field

from tableau_rest.errors import NotFound, UnknownUri
from webhooks.context.lookup import kind_noun, look_up, resource_luid
from webhooks.errors import Skip
from webhooks.job import MISSING, JobState

if TYPE_CHECKING:
    from webhooks.context.context import Context

DAY = timedelta(days=1)
# The events of one content that are searched for earlier changes; an event can be days older than its change.
MAX_EVENTS = 1000
# The checkpoint with the change in words.
CHANGED = "changed"

PerDay = Annotated[int, Field(ge=1, le=100, description="maximum number of times for the same content in 24 hours")]
DryRun = Annotated[bool, Field(description="only record what would be done")]


class Limits(Protocol):
    """The parameters that limit an action."""

    @property
    def per_day(self) -> int:
        """The maximum number of changes of the same content in 24 hours."""

    @property
    def dry_run(self) -> bool:
        """True if the change is only recorded in words."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change to be made, as `what` and `done`, such as "label stale" and "set", and the function that makes it."""

    what: str
    done: str
    make: Callable[[], object]


def change_once(context: Context, limits: Limits, find: Callable[[], Change]) -> str:
    """Make the change that `find` returns, once per job, and return it in words.

    `find` looks at the content as it is now and raises Skip if nothing is to be changed: this also ends the loop of an
    action that is run by the event that its own change causes. Where two rules undo each other's changes, `per_day`
    ends it. If the process dies after the change and before its record, the next attempt finds nothing to be changed.
    """
    recorded = context.inbox.checkpoints.get(context.job, CHANGED)
    if recorded is not MISSING:
        return str(recorded)
    found = find()
    check_daily_limit(context, limits.per_day)
    if limits.dry_run:
        raise Skip(f"dry run: {found.what} would be {found.done}")

    def make() -> str:
        try:
            found.make()
        except NotFound as error:
            if isinstance(error, UnknownUri):
                raise
            raise Skip(f"this {kind_noun(context.event.content_kind)} no longer exists") from None
        context.log.info("Changed in Tableau: content=%s: %s %s", context.luid, found.what, found.done)
        return f"{found.what} {found.done}"

    return str(context.checkpoint(CHANGED, make))


def check_daily_limit(context: Context, per_day: int) -> None:
    """Raise Skip if other jobs of the same action have changed the same content `per_day` times within 24 hours."""
    _check_limit(context, done_within_a_day(context), per_day)


def check_limit_of_rule(context: Context, per_day: int, begun: Callable[[], bool]) -> None:
    """Raise Skip if the rule has done the same action for the same content `per_day` times within 24 hours.

    For actions that leave the content as it is, so that rules with other views or flows do not use up each other's
    limit. A job of which `begun` returns that a part of it is done goes on: others may have ended since.
    """
    done = done_within_a_day(context, of_rule=True)
    if done < per_day or not begun():
        _check_limit(context, done, per_day)


def _check_limit(context: Context, done: int, per_day: int) -> None:
    if done >= per_day:
        times = "once" if done == 1 else f"{done} times"
        raise Skip(f"limit reached: {context.job.handler} was done {times} within 24 hours (per_day = {per_day})")


def done_within_a_day(context: Context, *, of_rule: bool = False) -> int:
    """Return how many other jobs of the same action, or of the same rule, have ended for this content within 24 hours.

    They count from their end, however old their events are. All events of a type that have no content count together.
    """
    if context.luid:
        events = context.inbox.events.list(resources=[context.luid], limit=MAX_EVENTS)
    else:
        found = context.inbox.events.list(event_types=[context.event.event_type], limit=MAX_EVENTS)
        events = [event for event in found if resource_luid(event.event) is None]
    jobs = [record.job for event in events for record in event.jobs if record.job.id != context.job.id]
    if of_rule:
        jobs = [job for job in jobs if job.rule == context.job.rule]
    ended = [job for job in jobs if job.handler == context.job.handler and job.state is JobState.DONE]
    return sum(job.finished_at is not None and job.finished_at >= context.now() - DAY for job in ended)


def content_now(context: Context, kinds: Collection[str], lacks: str) -> Any:
    """Return the event's content as it is now. Raises Skip if it is gone, or not of these kinds: "a user has no tags".

    The shared look-up of a refresh event may be minutes old, and another job may have changed the content since.
    """
    kind = context.event.content_kind
    if kind not in kinds:
        raise Skip(f"a {kind_noun(kind)} {lacks}")
    lookup = look_up(context.event, lambda: context.tableau, last_attempt=context.last_attempt)
    if lookup.error:
        raise lookup.error
    if lookup.content is None:
        raise Skip(lookup.problem)
    return lookup.content
