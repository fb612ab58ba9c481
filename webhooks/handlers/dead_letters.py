"""The dead_letters action: announce jobs that failed permanently, all of them in one message."""

from __future__ import annotations

from pydantic import Field

from notifiers import NotifierError
from webhooks.context import Context
from webhooks.destinations import Destination
from webhooks.errors import RetryLater, Skip
from webhooks.messages.dead_letter_message import dead_letter_message
from webhooks.registry import Params, action


class DeadLettersParams(Params):
    """The destinations of the announcement."""

    to: tuple[Destination, ...] = Field(min_length=1, description="where the announcement goes")


@action("dead_letters", params=DeadLettersParams, in_rules=False)
def dead_letters(context: Context, params: DeadLettersParams) -> None:
    """Announce all jobs that no other announcement contains, at every destination.

    Raises Skip if there are none. Raises the error of a destination if it may pass, or if no destination worked.
    """
    jobs = [record.job for record in context.inbox.dead_letters.announce(context.job)]
    if not jobs:
        raise Skip("already announced together with others")
    message = dead_letter_message(jobs, context.label, total=context.inbox.dead_letters.count(context.job))
    errors: list[NotifierError | RetryLater] = []
    for to in params.to:
        try:
            context.notify(to, message, site=False)
        except (NotifierError, RetryLater) as error:
            context.log.warning("Dead letters could not be announced: to=%s error=%s", to, error)
            errors.append(error)
    transient = [error for error in errors if not error.permanent]
    if transient or len(errors) == len(params.to):
        raise (transient or errors)[0]
