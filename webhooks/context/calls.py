"""Call the handler of a job with the arguments that it names."""

from __future__ import annotations

import os
from datetime import timedelta

from pydantic import ValidationError

from webhooks.context.context import Context
from webhooks.errors import Permanent, RetryLater
from webhooks.forks import end_child
from webhooks.job import Result
from webhooks.registry import Handler
from webhooks.validation import describe_values

# Seconds until a job that has to wait for an earlier event looks again.
TURN_SECONDS = 2.0


def call(handler: Handler, context: Context) -> str:
    """Do the same as `attempt`, record the checkpoints, and return the result in words, if any."""
    result = attempt(handler, context)
    context.record_now()
    return result.text


def attempt(handler: Handler, context: Context) -> Result:
    """Run the handler for the context's job, and return its result with the checkpoints that are not recorded yet.

    Raises Skip if a condition of the job does not hold, RetryLater if it is not its turn, Permanent if a condition
    cannot be evaluated or the job's params no longer fit the handler, and anything that the handler raises.
    """
    if handler.in_order and not context.inbox.turns.is_first(context.job):
        again = context.now() + timedelta(seconds=TURN_SECONDS)
        raise RetryLater("An earlier event about the same resource comes first", again)
    context.check_conditions()
    arguments = {name: getattr(context, name) for name in handler.arguments if name not in {"params", "context"}}
    if "params" in handler.arguments:
        try:
            arguments["params"] = handler.params.model_validate(dict(context.job.params))
        except ValidationError as error:
            problems = "; ".join(describe_values(error))
            raise Permanent(f"The job's params no longer fit the action {handler.name}: {problems}") from None
    if "context" in handler.arguments:
        arguments["context"] = context
    process = os.getpid()
    try:
        result = handler.function(**arguments)
    except BaseException as error:
        end_child(process, handler.name, error)
        context.record_now()
        raise
    end_child(process, handler.name)
    return Result(result if isinstance(result, str) else "", tuple(context.unrecorded))
