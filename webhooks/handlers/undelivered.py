"""The undelivered action: report a text message that Twilio accepted and did not deliver. Planned by the server."""

from __future__ import annotations

from datetime import timedelta

from webhooks.context import Context
from webhooks.errors import Permanent, Skip
from webhooks.registry import Params, action

# The look-up of the delivery may have found out at about the same time.
AROUND = timedelta(minutes=10)


class UndeliveredParams(Params):
    """The destination, and Twilio's reason."""

    to: str
    reason: str


@action("undelivered", params=UndeliveredParams, in_rules=False)
def undelivered(context: Context, params: UndeliveredParams) -> None:
    """Fail permanently with the reason, so that it is listed and announced; Skip if it was before. Raises Permanent."""
    reported_at = context.job.created_at or context.now()
    if context.inbox.sms_status.is_reported(params.to, reported_at - AROUND):
        raise Skip("the job that sent the message reports that it was not delivered")
    raise Permanent(f"Could not deliver to {params.to}. {params.reason}")
