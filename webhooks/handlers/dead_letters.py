"""The dead_letters action: announce jobs that failed permanently, all of them in one message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from notifiers import Message, NotifierError
from webhooks.context import Context
from webhooks.destinations import Destination, resolve_default
from webhooks.errors import RetryLater, Skip
from webhooks.handlers.notice import show_own_incident
from webhooks.job import ANNOUNCED_TO, Job, dead_letter_subject
from webhooks.messages.dead_letter_message import dead_letter_message, group_text, group_title
from webhooks.registry import Params, action

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord

Errors = dict[str, NotifierError | RetryLater]


class DeadLettersParams(Params):
    """The destinations of the announcement."""

    to: tuple[Destination, ...] = Field(min_length=1, description="where the announcement goes")


@action("dead_letters", params=DeadLettersParams, in_rules=False)
def dead_letters(context: Context, params: DeadLettersParams) -> None:
    """Announce all jobs that no other announcement contains, at every destination.

    Jobs about one destination, or of one handler, are an incident. A destination that can edit messages has one message
    for each, which is kept up to date; the others have one message for each announcement. If no destination works,
    every other notifier with a default address is tried. Raises Skip if there are no jobs. Raises the error of a
    destination if it may pass, or if no notification was sent, which is logged, too.
    """
    jobs = [record.job for record in context.inbox.dead_letters.announce(context.job)]
    if not jobs:
        raise Skip("already announced together with others")
    message = dead_letter_message(jobs, context.label, total=context.inbox.dead_letters.count(context.job))
    records = _record(context, jobs)
    defaults = context.notifiers.with_default_address
    destinations = list(dict.fromkeys(resolve_default(to, defaults) for to in params.to))
    errors = _send(context, message, destinations, records)
    _raise_unless_final(context, errors)
    context.inbox.dead_letters.undeliverable = list(errors)
    if len(errors) == len(destinations):
        # A line on the console of a server is no notification; the log has one in any case.
        others = [kind for kind in defaults if kind not in destinations and kind != "console"]
        errors |= _send(context, message, others)
        destinations += others
    notified = [to for to in destinations if to not in errors]
    if not notified:
        _raise_unless_final(context, errors)
    reasons = {to: str(error) for to, error in errors.items()}
    context.inbox.checkpoints.set(context.job, ANNOUNCED_TO, {"notified": notified, "failed": reasons})
    if not notified:
        context.log.error("Dead letters could not be announced anywhere: %s: %s", message.title, message.text)
        raise next(iter(errors.values()))


def _record(context: Context, jobs: Sequence[Job]) -> list[IncidentRecord]:
    """Open or change the incidents of the announced jobs, and return them."""
    groups, found = context.inbox.dead_letter_groups, []
    for group in groups.of(context.job):
        own = [job for job in jobs if dead_letter_subject(job.handler, job.params) == group.subject]
        title = group_title(own, group.subject, group.total)
        reason = group_text(own, context.label)
        found.append(groups.record(context.job, group, context.now(), title=title, reason=reason))
    return [record for record in found if record is not None]


def _send(
    context: Context, message: Message, destinations: Iterable[str], records: Sequence[IncidentRecord] = ()
) -> Errors:
    """Show the incidents, or else send the message, at each destination; return the errors by destination."""
    errors: Errors = {}
    for to in destinations:
        kind = to.partition(":")[0]
        try:
            if records and kind in context.notifiers and context.notifiers[kind].capabilities.edit:
                for record in records:
                    show_own_incident(context, record, to, "dead letters")
            else:
                context.notify(to, message, site=False)
        except (NotifierError, RetryLater) as error:
            context.log.warning("Dead letters could not be announced: to=%s error=%s", to, error)
            errors[to] = error
    return errors


def _raise_unless_final(context: Context, errors: Errors) -> None:
    """Raise the first error that may pass in a later attempt."""
    for error in errors.values():
        if not error.permanent and not (context.last_attempt and isinstance(error, NotifierError)):
            raise error
