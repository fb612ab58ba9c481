"""POST /slack/interactions: verify the signature, read the press of a button, commit its act, respond.

What needs the network, such as the person's name or a refresh, is done by the job that is stored with the press.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
    UnsupportedMediaType,
)

from notifiers.slack.interactions import InvalidInteraction, is_signed, parse_press
from webhooks.errors import StoreUnavailable
from webhooks.inbound.signed_request import FORM, RETRY_AFTER_SECONDS, Refusals, read_body
from webhooks.webhook_url import INTERACTIONS_PATH

if TYPE_CHECKING:
    from webhooks.inbound.slack_presses import Record

log = logging.getLogger(__name__)

# Slack sends the whole message along, whose characters outside of ASCII take eight bytes each.
MAX_BYTES = 256 * 1024


def create_blueprint(record: Record, secret: str, clock: Callable[[], float] = time.time) -> Blueprint:
    """Return the blueprint that stores presses with `record` and accepts requests signed with `secret`.

    Without a secret every request gets 404. docs/http.md lists all responses.
    """
    blueprint = Blueprint("slack_interactions", __name__)
    view = Interactions(record, secret, clock)
    blueprint.add_url_rule(
        INTERACTIONS_PATH, "receive_press", view.receive, methods=["POST"], provide_automatic_options=False
    )
    blueprint.register_error_handler(HTTPException, Refusals(log, "Interaction"))
    return blueprint


class Interactions:
    """The view, and what it needs: where presses are stored, and the app's signing secret."""

    def __init__(self, record: Record, secret: str, clock: Callable[[], float]) -> None:
        self._record, self._secret, self._clock = record, secret, clock

    def receive(self) -> Response:
        """Store the press and return 200 after the commit. Raises an HTTPException for every other response."""
        if not self._secret:
            raise NotFound("Buttons in Slack are not configured: set SLACK_SIGNING_SECRET.")
        body = read_body(MAX_BYTES)
        headers = request.headers
        timestamp, signature = headers.get("X-Slack-Request-Timestamp"), headers.get("X-Slack-Signature")
        if not is_signed(self._secret, body, timestamp, signature, self._clock()):
            raise Unauthorized("The request is not signed with SLACK_SIGNING_SECRET, or it is older than 5 minutes.")
        if request.mimetype != FORM:
            raise UnsupportedMediaType(f"The content type must be {FORM}.")
        from webhooks.inbound.slack_presses import store_press  # noqa: PLC0415 - incidents delay the start of a server

        try:
            press = parse_press(body)
        except InvalidInteraction as error:
            raise BadRequest(str(error)) from error
        try:
            store_press(self._record, press)
        except StoreUnavailable as error:
            raise ServiceUnavailable("The press cannot be stored now.", retry_after=RETRY_AFTER_SECONDS) from error
        return Response(status=200)
