"""Turn the responses of Slack's incoming webhooks into errors: a word as plain text. Pure.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from notifiers.errors import NotifierError
from notifiers.responses import refusal as status_refusal

if TYPE_CHECKING:
    from notifiers.transport import Response

# The layout was refused, and nothing was posted.
BLOCKS_REFUSED = frozenset(["invalid_blocks", "invalid_attachments", "invalid_blocks_format", "msg_blocks_too_long"])
ADVICE = {
    "no_service": "the webhook was removed or disabled; create another one",
    "no_active_hooks": "the webhook was disabled",
    "no_team": "the workspace no longer exists",
    "team_disabled": "the workspace was disabled",
    "invalid_token": "the address of the webhook is not complete",
    "channel_not_found": "the channel of the webhook was deleted",
    "channel_is_archived": "the channel of the webhook is archived",
    "action_prohibited": "an administrator of the workspace does not allow it",
    "posting_to_general_channel_denied": "an administrator does not allow messages to #general",
    "rollup_error": "Slack is temporarily unable to post it",
}


def refusal(response: Response, now: datetime) -> NotifierError:
    """Return the error for a response other than `ok`."""
    word = response.body[:200].decode("utf-8", "replace").strip()
    if response.status == 200:
        # A proxy or a login page: Slack says nothing but ok.
        return NotifierError("Slack webhook: unexpected response; is the address right?", uncertain=True)
    advice = f"{word}: {ADVICE[word]}" if word in ADVICE else word
    return status_refusal("Slack webhook", response.status, response.headers, now, advice)
