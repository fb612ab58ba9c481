"""The dead_letters action: tells people about jobs that died, all that there are in one message."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from notifiers import Message, NotifierError
from webhooks.context import Context
from webhooks.destinations import Destination
from webhooks.errors import RetryLater, Skip
from webhooks.event import Event
from webhooks.inbox import JobRecord
from webhooks.messages.event_message import as_text
from webhooks.registry import Params, action

LISTED = 10


class DeadLettersParams(Params):
    """Who is told."""

    to: tuple[Destination, ...] = Field(min_length=1, description="where the announcement goes")


@action("dead_letters", params=DeadLettersParams, in_rules=False)
def dead_letters(context: Context, params: DeadLettersParams) -> None:
    """Several deaths of a moment make one message; a job that another announcement tells of is not told of again."""
    dead = context.inbox.dead_letters.announce(context.job)
    if not dead:
        raise Skip("told of already, with others")
    _tell_all(context, params.to, message(dead, context.label))


def _tell_all(context: Context, destinations: tuple[str, ...], text: Message) -> None:
    """Tells everybody who can be told. Raises what may pass, and what is final if nobody could be told."""
    errors = [error for to in destinations if (error := _tell(context, to, text))]
    passing = [error for error in errors if not error.permanent]
    if passing or len(errors) == len(destinations):
        raise (passing or errors)[0]


def _tell(context: Context, to: str, text: Message) -> NotifierError | RetryLater | None:
    try:
        context.notify(to, text, site=False)
    except (NotifierError, RetryLater) as error:
        context.log.warning("Dead jobs could not be told to %s: %s", to, error)
        return error
    return None


def message(dead: list[JobRecord], label: Callable[[Event], str] = lambda _: "") -> Message:
    """What has died, and how to bring it back; `label` says of which site an event is, where there are several."""
    count = "A job is" if len(dead) == 1 else f"{len(dead)} jobs are"
    lines = [_line(record, label(record.job.event)) for record in dead[:LISTED]]
    if len(dead) > LISTED:
        lines.append(f"… and {len(dead) - LISTED} more")
    ids = " ".join(str(one) for one in dict.fromkeys(record.job.event.id for record in dead[:LISTED]))
    return Message(
        f"{count} dead: tried in vain",
        "\n".join(lines),
        severity="bad",
        footer=f"Look: flask events explain {dead[0].job.event.id} · again: flask events replay --dead {ids}",
    )


def _line(record: JobRecord, site: str) -> str:
    job = record.job
    name = as_text(job.event.resource_name) or as_text(job.event.resource_luid)
    at = f" ({site})" if site else ""
    return f"Event {job.event.id}{at} {job.event.event_type} {name}: {job.key}: {job.error}"
