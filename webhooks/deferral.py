"""A response that is sent later, without a thread that waits for it, by a server that can do that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

# The deferral of a request in its WSGI environment; absent if the view has to respond at once.
KEY = "webhooks.deferral"


class Deferral:
    """Lets the view of one request return before its response is known.

    The view sets `respond`, a WSGI application, and `timeout`, and returns an empty body. The server calls `respond` in
    its main thread as soon as any thread has called `complete`, or after `timeout` seconds.
    """

    __slots__ = ("_on_complete", "respond", "timeout")

    def __init__(self, on_complete: Callable[[Deferral], None]) -> None:
        self._on_complete = on_complete
        self.respond: WSGIApplication | None = None
        self.timeout = 0.0

    def complete(self) -> None:
        """Say that the response is known. Returns at once."""
        self._on_complete(self)
