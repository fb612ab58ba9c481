"""Measure how much of a request has been received, to decide whether a thread can serve it without waiting."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# A longer head is refused by the server's own limits.
MAX_HEAD_BYTES = 64 * 1024
# Larger bodies are refused, and not collected.
MAX_BODY_BYTES = 64 * 1024
HEAD_END = b"\r\n\r\n"
# The last chunk without trailers, https://www.rfc-editor.org/rfc/rfc9112#section-7.1
LAST_CHUNK = b"\r\n0\r\n\r\n"
BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
BODY_FIELD = re.compile(rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)


@dataclass(slots=True)
class PartialRequest:
    """The bytes of one request that have been received so far.

    `served` is true as soon as a thread can respond, also if the body is incomplete: most refusals do not need it.
    `whole` is true when a thread can read the whole request without waiting. `length` is the number of bytes of head
    and body; None if it is unknown.
    """

    received: bytearray = field(default_factory=bytearray)
    served: bool = False
    whole: bool = False
    length: int | None = None
    _searched: int = 0

    def add(self, data: bytes) -> None:
        """Add bytes that were received."""
        self.received += data
        if not self.served:
            end = self.received.find(HEAD_END, max(0, self._searched - len(HEAD_END)))
            head = self.received[: end + 2] if end >= 0 else self.received
            refused = BARE_LINE_FEED.search(head, max(0, self._searched - 1)) or len(head) > MAX_HEAD_BYTES
            self._searched = len(self.received)
            if not refused and end < 0:
                return
            self.served = True
            if not refused:
                self.length = request_length(bytes(head), end + len(HEAD_END))
        if self.length is not None:
            self.whole = len(self.received) >= self.length
        elif self.received.endswith(LAST_CHUNK):
            self.whole = True

    @property
    def full(self) -> bool:
        """Return whether no more bytes should be collected."""
        return self.whole or len(self.received) > MAX_HEAD_BYTES + MAX_BODY_BYTES

    @property
    def keeps_connection(self) -> bool:
        """Return whether it is known where the next request on the connection begins."""
        return self.whole and self.length is not None


def request_length(head: bytes, head_length: int) -> int | None:
    """Return the bytes of head and body; None if that is unknown, or if the body will not be collected.

    A client that sends `Expect: 100-continue` waits for a response before it sends the body.
    """
    fields = [(name.lower(), value.strip()) for name, value in BODY_FIELD.findall(head)]
    if not fields:
        return head_length
    if len(fields) > 1 or fields[0][0] != b"content-length" or not fields[0][1].isdigit():
        return None
    length = fields[0][1].lstrip(b"0") or b"0"
    if len(length) > len(str(MAX_BODY_BYTES)) or int(length) > MAX_BODY_BYTES:
        return None
    return head_length + int(length)
