"""POST /twilio/status: verify the signature, commit the report on a text message that was not delivered, respond."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Blueprint, Response, request
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    NotFound,
    ServiceUnavailable,
)

from notifiers.twilio.replies import InvalidReply
from notifiers.twilio.status import MESSAGE, PATH, StatusReport, parse_status
from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.inbound.signed_request import RETRY_AFTER_SECONDS, Refusals, read_twilio_form

log = logging.getLogger(__name__)


# Stores that the message with our id, to a recipient, was not delivered for a reason; returns the outcome.
Record = Callable[[str, StatusReport, str], str]


def create_blueprint(record: Record, token: str, public_url: str) -> Blueprint:
    """Return the blueprint that stores reports with `record`, and accepts requests to `public_url` signed with `token`.

    Without a token or an address every request gets 404. docs/http.md lists all responses.
    """
    blueprint = Blueprint("sms_status", __name__)
    view = SmsStatus(record, token if public_url else "", public_url)
    blueprint.add_url_rule(PATH, "receive_status", view.receive, methods=["POST"], provide_automatic_options=False)
    blueprint.register_error_handler(HTTPException, Refusals(log, "Status of a text message"))
    return blueprint


class SmsStatus:
    """The view, and what it needs: where reports are stored, the account's auth token, and the public address."""

    def __init__(self, record: Record, token: str, public_url: str) -> None:
        self._record, self._token, self._url = record, token, f"{public_url}{PATH}"

    def receive(self) -> Response:
        """Store a failure and return 204 after the commit. Raises an HTTPException for every other response."""
        if not self._token:
            raise NotFound("Reports on text messages need PUBLIC_URL and TWILIO_AUTH_TOKEN.")
        fields = read_twilio_form(self._url, self._token)
        try:
            report = parse_status(fields)
        except InvalidReply as error:
            raise BadRequest(str(error)) from error
        if report.has_failed:
            try:
                outcome = self._record(request.args.get(MESSAGE, ""), report, report.reason(utc_now()))
            except StoreUnavailable as error:
                raise ServiceUnavailable("The report cannot be stored now.", retry_after=RETRY_AFTER_SECONDS) from error
            log.warning("Text message not delivered: sid=%s code=%d %s", report.sid, report.code, outcome)
        return Response(status=204)
