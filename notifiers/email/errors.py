"""Turn the replies of an SMTP server into errors. Pure.

https://www.rfc-editor.org/rfc/rfc5321#section-4.2
"""

from __future__ import annotations

from collections.abc import Mapping

from notifiers.errors import NotifierError
from notifiers.text import one_line

# The server closes the connection, and accepts no message now.
UNAVAILABLE = 421
# Characters of what the server says.
MAX_REPLY = 300
ADVICE = {
    530: "the server requires a sign-in; set SMTP_USERNAME and SMTP_PASSWORD",
    534: "the server wants another way to sign in, such as a password for this application",
    535: "SMTP_USERNAME or SMTP_PASSWORD is wrong",
    552: "the message or the mailbox is too large",
}

Reply = tuple[int, bytes]


def describe(reply: Reply) -> str:
    """Return the code and the text of a reply, with advice."""
    code, text = reply
    said = one_line(text[: 2 * MAX_REPLY].decode("utf-8", "replace"))[:MAX_REPLY]
    return f"{code} {said}" + (f" ({ADVICE[code]})" if code in ADVICE else "")


def is_permanent(reply: Reply) -> bool:
    """Return whether a repetition cannot help: codes of 500 and more, as far as they are codes."""
    return 500 <= reply[0] < 600


def refusal(reply: Reply, subject: str = "") -> NotifierError:
    """Return the error for a reply that refuses what was asked for."""
    words = f"The mail server refused {subject}: " if subject else "The mail server: "
    # A server may decline any message at first, to see whether it is repeated after some minutes.
    declined = 400 <= reply[0] < 500 and reply[0] != UNAVAILABLE
    return NotifierError(f"{words}{describe(reply)}", permanent=is_permanent(reply), declined=declined)


def refused_recipients(refused: Mapping[str, Reply]) -> str:
    """Return the recipients that were refused, each with the reply."""
    return "; ".join(f"{to}: {describe(reply)}" for to, reply in refused.items())
