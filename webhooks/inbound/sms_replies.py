"""POST /twilio/messages: verify the signature, read the text message, commit what it acknowledges, respond.

The answer to the person is sent by the job that is stored with the reply; the response to Twilio is empty.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Blueprint, Response
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    NotFound,
    ServiceUnavailable,
)

from notifiers.twilio.replies import InvalidReply, Reply, parse_reply
from webhooks.errors import StoreUnavailable
from webhooks.inbound.signed_request import RETRY_AFTER_SECONDS, Refusals, read_twilio_form
from webhooks.webhook_url import REPLIES_PATH

if TYPE_CHECKING:
    from webhooks.incidents.sms_commands import Command

log = logging.getLogger(__name__)

# https://www.twilio.com/docs/messaging/twiml: nothing is sent
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'

# Stores a reply, by its sender and what it asks for, and returns the outcome.
Record = Callable[[Reply, "Command"], str]


def create_blueprint(record: Record, token: str, public_url: str) -> Blueprint:
    """Return the blueprint that stores replies with `record`, and accepts requests to `public_url` signed with `token`.

    Without a token every request gets 404. docs/http.md lists all responses.
    """
    blueprint = Blueprint("sms_replies", __name__)
    view = SmsReplies(record, token, public_url)
    blueprint.add_url_rule(
        REPLIES_PATH, "receive_reply", view.receive, methods=["POST"], provide_automatic_options=False
    )
    blueprint.register_error_handler(HTTPException, Refusals(log, "Reply by SMS"))
    return blueprint


class SmsReplies:
    """The view, and what it needs: where replies are stored, the account's auth token, and the public address."""

    def __init__(self, record: Record, token: str, public_url: str) -> None:
        self._record, self._token, self._url = record, token, f"{public_url}{REPLIES_PATH}"

    def receive(self) -> Response:
        """Store the reply and return an empty document after the commit. Raises an HTTPException for all else."""
        if not self._token:
            raise NotFound("Replies by SMS are not configured: set SMS_REPLIES.")
        from webhooks.incidents.sms_commands import Command, parse_command  # noqa: PLC0415 - they delay the start of a server

        fields = read_twilio_form(self._url, self._token)
        try:
            reply = parse_reply(fields)
        except InvalidReply as error:
            raise BadRequest(str(error)) from error
        command = Command("opt_out") if reply.opt_out else parse_command(reply.text)
        try:
            outcome = self._record(reply, command)
        except StoreUnavailable as error:
            raise ServiceUnavailable("The reply cannot be stored now.", retry_after=RETRY_AFTER_SECONDS) from error
        log.info("Reply by SMS received: sid=%s %s", reply.sid, outcome)
        return Response(EMPTY, content_type="text/xml; charset=utf-8")
