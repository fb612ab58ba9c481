"""Changes that actions make in Tableau: only what is missing, once per job, and at most so often a day."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import Field

from tableau_rest.errors import NotFound, UnknownUri
from webhooks.context.lookup import kind_noun, look_up
from webhooks.errors import Skip
from webhooks.job import MISSING

if TYPE_CHECKING:
    from webhooks.context.context import Context

DAY = timedelta(days=1)
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
    if limits.dry_run:
        raise Skip(f"dry run: {found.what} would be {found.done}")
    take_use(context, limits.per_day)

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


def take_use(context: Context, per_day: int, *, of_rule: bool = False, words: str = "") -> None:
    """Count the job against the limit of its action for the event's content, or, `of_rule`, against that of its rule.

    Raises Skip if other jobs have used up the limit within 24 hours. They count from their end, however old their
    events are, and while they run or wait. Actions that leave the content as it is have a limit for each rule, so that
    rules with other views or flows do not use up each other's. Events of a type that have no content count together.
    """
    subject = (context.luid or "").lower() or str(context.event.event_type)
    key = " ".join(filter(None, [context.job.handler, subject, context.job.rule if of_rule else ""]))
    used = context.inbox.action_uses.take(context.job, key, per_day, context.now() - DAY)
    if used is not None:
        times = "once" if used == 1 else f"{used} times"
        done = words or f"{context.job.handler} was done"
        raise Skip(f"limit reached: {done} {times} within 24 hours (per_day = {per_day})")


def remove_all(removals: Iterable[Callable[[], object]], gone: str) -> None:
    """Call each removal; ignore what is removed already. Raises Skip with `gone` if everything is."""
    removed = 0
    for remove in removals:
        try:
            remove()
            removed += 1
        except NotFound as error:
            if isinstance(error, UnknownUri):
                raise
    if not removed:
        raise Skip(gone)


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
