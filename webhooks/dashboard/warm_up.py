"""Prepare the pages in the background, so that the first one of a process waits for no import and no template."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from flask import Flask, request

if TYPE_CHECKING:
    from webhooks.services import Services

log = logging.getLogger(__name__)

# The first events after a start have the processor for themselves.
PAUSE_SECONDS = 3.0
# What people open first; the templates of other pages are compiled when they are asked for.
FIRST = ("login", "incidents", "incident")


def warm_up_soon(app: Flask) -> threading.Timer:
    """Start the timer that prepares the pages; cancel and join it before the inbox is closed."""
    timer = threading.Timer(PAUSE_SECONDS, warm_up, (app,))
    timer.daemon = True
    timer.start()
    return timer


def warm_up(app: Flask) -> None:
    """Render the first page once without a visitor, which also prepares its statements, and compile the ones after it.

    Not on a server whose pages no one has signed in to: they take 7 MB of each process.
    """
    services: Services = app.extensions["webhooks"]
    try:
        # The start of the server decides whether the inbox may be opened.
        if "inbox" not in vars(services) or not services.inbox.sign_ins.any_sessions():
            return
        # Imported here: with templates they take memory, and time that the start of the server needs.
        from webhooks.access.visitors import LOCAL_NAME, Visitor  # noqa: PLC0415 - see above
        from webhooks.clock import utc_now  # noqa: PLC0415 - see above
        from webhooks.dashboard.pages import now  # noqa: PLC0415 - see above
        from webhooks.dashboard.render import environment  # noqa: PLC0415 - see above
        from webhooks.dashboard.serving import render_page  # noqa: PLC0415 - see above
        from webhooks.dashboard.visit import Visit  # noqa: PLC0415 - see above

        for name in FIRST:
            environment().get_template(f"{name}.html")
        with app.test_request_context("/"):
            visitor = Visitor(LOCAL_NAME, "admin", "local", "")
            visit = Visit(services, request, visitor, utc_now())
            render_page(visit, now.show(visit))
    except Exception as error:  # noqa: BLE001 - nothing depends on it, and a page says what is wrong
        log.debug("The first page could not be prepared: %s", error)
