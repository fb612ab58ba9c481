"""The dead_letters action: announce jobs that failed permanently, all of them in one message."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from notifiers import Message, NotifierError
from webhooks.context import Context
from webhooks.destinations import Destination, resolve_default
from webhooks.errors import RetryLater, Skip
from webhooks.job import ANNOUNCED_TO
from webhooks.messages.dead_letter_message import dead_letter_message
from webhooks.registry import Params, action

Errors = dict[str, NotifierError | RetryLater]


class DeadLettersParams(Params):
    """The destinations of the announcement."""

    to: tuple[Destination, ...] = Field(min_length=1, description="where the announcement goes")


@action("dead_letters", params=DeadLettersParams, in_rules=False)
def dead_letters(context: Context, params: DeadLettersParams) -> None:
    """Announce all jobs that no other announcement contains, at every destination.

    If no destination works, every other notifier with a default address is tried. Raises Skip if there are no jobs.
    Raises the error of a destination if it may pass, or if no notification was sent, which is logged, too.
    """
    jobs = [record.job for record in context.inbox.dead_letters.announce(context.job)]
    if not jobs:
        raise Skip("already announced together with others")
    message = dead_letter_message(jobs, context.label, total=context.inbox.dead_letters.count(context.job))
    defaults = context.notifiers.with_default_address
    destinations = list(dict.fromkeys(resolve_default(to, defaults) for to in params.to))
    errors = _send(context, message, destinations)
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


def _send(context: Context, message: Message, destinations: Iterable[str]) -> Errors:
    """Send the message to each destination, and return the errors by destination."""
    errors: Errors = {}
    for to in destinations:
        try:
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
