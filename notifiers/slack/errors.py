"""Turn Slack's refusals into errors: an error name, or a status without one. Pure.

https://docs.slack.dev/reference/methods/chat.postMessage#errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifiers.errors import NotifierError, parse_retry_after, rate_limited_until

# Sent too fast. `message_limit_exceeded` is the workspace's limit for a time.
RATE_LIMITED = frozenset(["ratelimited", "rate_limited", "message_limit_exceeded"])
# Temporary for another reason. Every other name is permanent until someone changes something.
TEMPORARY = frozenset(
    [
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        # The workspace moves to an Enterprise organization.
        "team_added_to_org",
        "org_login_required",
    ]
)
# Temporary, and about this channel or message only.
DECLINED = frozenset(["external_channel_migrating", "update_failed"])
# After these, says Slack, the message may have been posted.
UNCERTAIN = frozenset(["internal_error", "fatal_error"])
# We send no attachments; Slack uses that name for some tables, which it stores as attachments. Our texts are short, so
# what is too long is the layout.
BLOCKS_REFUSED = frozenset(
    ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_attachments", "msg_too_long"]
)

# The message cannot be edited (any more), while a reply may still be possible; it does not exist.
# https://docs.slack.dev/reference/methods/chat.update#errors
GONE = frozenset(["message_not_found"])
CANNOT_EDIT = GONE | {
    "edit_window_closed",
    "cant_update_message",
    "block_mismatch",
    "is_inactive",
    "cant_broadcast_message",
    "no_dual_broadcast_content_update",
    "msg_too_long",
}
CANNOT_REPLY = frozenset(
    ["thread_not_found", "message_not_found", "cannot_reply_to_message", "restricted_action_thread_locked"]
)
# A message for one person cannot be shown in the channel. https://docs.slack.dev/reference/methods/chat.postEphemeral#errors
CANNOT_WHISPER = frozenset(["not_in_channel", "user_not_in_channel", "channel_not_found", "is_archived"])

ADVICE = {
    "not_in_channel": "invite the app to the channel: /invite @its-name",
    "channel_not_found": "no such channel, or a private one that the app was not invited to",
    "is_archived": "the channel is archived",
    "invalid_auth": "SLACK_TOKEN is not valid",
    "not_authed": "SLACK_TOKEN is missing",
    "account_inactive": "the user or the workspace of SLACK_TOKEN was deleted",
    "token_revoked": "SLACK_TOKEN was revoked; install the app again",
    "token_expired": "SLACK_TOKEN has expired; use one of an app without token rotation",
    "users_not_found": "this workspace has no user with that e-mail address",
    "ratelimited": "too many messages at once",
    "message_limit_exceeded": "the workspace has reached its message limit",
    "team_added_to_org": "the workspace is being moved to an Enterprise organization",
    "org_login_required": "the workspace is being moved to an Enterprise organization",
    "external_channel_migrating": "the channel is being moved",
    "edit_window_closed": "the workspace allows no edits of older messages",
    "cant_update_message": "the message was not posted by this app",
    "message_not_found": "the message was deleted",
    "thread_not_found": "the message was deleted",
}
GATEWAY_TIMEOUT = 504
ERROR_NAME = re.compile(r"[a-z0-9_]{1,100}")


class Refusal(NotifierError):
    """Slack did not accept the request, and gave the reason a name."""

    name = ""
    # The scope that the app lacks, for `missing_scope`.
    needed = ""

    @property
    def blocks_refused(self) -> bool:
        """True if the layout was refused, and so nothing was posted."""
        return self.name in BLOCKS_REFUSED


def refusal(status: int, data: object, headers: Mapping[str, str], now: datetime) -> NotifierError:
    """Return the error for a response of Slack's Web API that is not `ok`.

    `data` is the decoded body; the names in `headers` are in lower case.
    """
    response: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    retry_after = headers.get("retry-after")
    name = str(response.get("error") or "")
    if not ERROR_NAME.fullmatch(name):
        return _without_name(status, retry_after, now)
    limited = name in RATE_LIMITED or status == 429
    declined = name in DECLINED
    permanent = not limited and not declined and name not in TEMPORARY and status < 500
    retry_at = None if permanent else parse_retry_after(retry_after, now)
    if limited:
        retry_at = rate_limited_until(retry_after, now)
    words = f"Slack: {name}{_advice(name, response)}"
    error = Refusal(words, permanent=permanent, retry_at=retry_at, uncertain=name in UNCERTAIN, declined=declined)
    error.name, error.needed = name, str(response.get("needed") or "")[:100]
    return error


def _without_name(status: int, retry_after: str | None, now: datetime) -> NotifierError:
    """Return the error for a page of a proxy or a gateway, which may be temporary even with the status 200."""
    if status == 429:
        return NotifierError("Slack: status 429 without a reason", retry_at=rate_limited_until(retry_after, now))
    permanent = 300 <= status < 500 and status != 408
    hint = "; is SLACK_API_URL right?" if permanent or status < 300 else ""
    return NotifierError(
        f"Slack: status {status} without a reason{hint}",
        permanent=permanent,
        retry_at=None if permanent else parse_retry_after(retry_after, now),
        uncertain=status < 300 or status == GATEWAY_TIMEOUT,
    )


def _advice(name: str, response: Mapping[str, Any]) -> str:
    if name == "missing_scope" and response.get("needed"):
        return f" (the app needs the scope {response['needed']}; add it and install the app again)"
    details = response.get("response_metadata")
    messages = details.get("messages") if isinstance(details, Mapping) else None
    if messages and isinstance(messages, list):
        return f" ({'; '.join(map(str, messages))[:300]})"
    return f" ({ADVICE[name]})" if name in ADVICE else ""
