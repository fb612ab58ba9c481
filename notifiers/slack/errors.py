"""What Slack's answers mean: the error name, the status and the headers become one NotifierError. Pure.

https://docs.slack.dev/reference/methods/chat.postMessage#errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifiers.errors import NotifierError, come_back

# Slack's passing troubles. Every other name it gives is final until somebody changes something.
PASSING = frozenset(
    [
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
    ]
)
# After these, says Slack, part of what was asked may have been done.
HALF_DONE = frozenset(["internal_error", "fatal_error"])
BLOCKS_REFUSED = frozenset(["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"])

ADVICE = {
    "not_in_channel": "invite the app to the channel: /invite @its-name",
    "channel_not_found": "no such channel, or a private one the app was not invited to",
    "is_archived": "the channel is archived",
    "invalid_auth": "SLACK_TOKEN is not valid",
    "not_authed": "SLACK_TOKEN is missing",
    "account_inactive": "the user or workspace of SLACK_TOKEN is gone",
    "token_revoked": "SLACK_TOKEN was revoked; install the app again",
    "token_expired": "SLACK_TOKEN has expired",
    "users_not_found": "nobody in this workspace has that e-mail address",
    "ratelimited": "too many messages at once",
}
GATEWAY_TIMEOUT = 504
ERROR_NAME = re.compile(r"[a-z0-9_]+")


class Refusal(NotifierError):
    """Slack said no and gave the reason a name."""

    name = ""

    @property
    def blocks_refused(self) -> bool:
        """The layout was refused, not the message: nothing was posted."""
        return self.name in BLOCKS_REFUSED


def refusal(status: int, data: object, headers: Mapping[str, str], now: datetime) -> NotifierError:
    """The error for an answer of Slack's Web API that is not `ok`.

    `data` is the decoded body; the names in `headers` are in lower case.
    """
    answer: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    name = str(answer.get("error") or "")
    if not ERROR_NAME.fullmatch(name):
        return _nameless(status, headers, now)
    final = name not in PASSING and status < 500 and status != 429
    error = Refusal(
        f"Slack answered {name}{_advice(name, answer)}",
        permanent=final,
        retry_at=None if final else _retry_at(headers, now),
        uncertain=name in HALF_DONE,
    )
    error.name = name
    return error


def _nameless(status: int, headers: Mapping[str, str], now: datetime) -> NotifierError:
    # A page of a proxy or a gateway: with 2xx too it is not Slack who speaks, and that may pass.
    final = 300 <= status < 500 and status not in (408, 429)
    hint = "; is SLACK_API_URL right?" if final or status < 300 else ""
    words = f"Slack answered status {status} and no reason{hint}"
    retry_at = None if final else _retry_at(headers, now)
    uncertain = status < 300 or status == GATEWAY_TIMEOUT
    return NotifierError(words, permanent=final, retry_at=retry_at, uncertain=uncertain)


def _advice(name: str, answer: Mapping[str, Any]) -> str:
    if name == "missing_scope" and answer.get("needed"):
        return f" (the app needs the scope {answer['needed']}; add it and install the app again)"
    details = answer.get("response_metadata")
    messages = details.get("messages") if isinstance(details, Mapping) else None
    if messages and isinstance(messages, list):
        return f" ({'; '.join(map(str, messages))[:300]})"
    return f" ({ADVICE[name]})" if name in ADVICE else ""


def _retry_at(headers: Mapping[str, str], now: datetime) -> datetime | None:
    return come_back(headers.get("retry-after"), now)
