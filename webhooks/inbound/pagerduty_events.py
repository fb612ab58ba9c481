"""POST /pagerduty/events: verify the signature, commit what a person did about an alert in PagerDuty, respond."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, HTTPException, NotFound, ServiceUnavailable, Unauthorized

from notifiers.pagerduty.reports import OLDEST, PATH, AlertReport, InvalidReport, is_signed, parse_report
from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.inbound.signed_request import RETRY_AFTER_SECONDS, Refusals, read_body

log = logging.getLogger(__name__)

# PagerDuty promises nothing for larger ones: https://developer.pagerduty.com/docs/webhooks-behavior
MAX_BYTES = 64 * 1024

# Stores a report, and returns the outcome.
Record = Callable[[AlertReport], str]


def create_blueprint(record: Record, secrets: Sequence[str], clock: Callable[[], datetime] = utc_now) -> Blueprint:
    """Return the blueprint that stores reports with `record` and accepts requests signed with one of the secrets.

    Without a secret every request gets 404. docs/http.md lists all responses.
    """
    blueprint = Blueprint("pagerduty_events", __name__)
    view = PagerDutyEvents(record, secrets, clock)
    blueprint.add_url_rule(PATH, "receive_report", view.receive, methods=["POST"], provide_automatic_options=False)
    blueprint.register_error_handler(HTTPException, Refusals(log, "Event of PagerDuty"))
    return blueprint


class PagerDutyEvents:
    """The view, and what it needs: where reports are stored, and the secrets of the subscriptions."""

    def __init__(self, record: Record, secrets: Sequence[str], clock: Callable[[], datetime]) -> None:
        self._record, self._secrets, self._clock = record, secrets, clock

    def receive(self) -> Response:
        """Store the report and return 204 after the commit. Raises an HTTPException for every other response.

        Events without effect get 204 as well: PagerDuty disables a subscription whose requests are refused.
        """
        if not self._secrets:
            raise NotFound("Acknowledgements in PagerDuty are not configured: set PAGERDUTY_WEBHOOK_SECRET.")
        body = read_body(MAX_BYTES)
        if not is_signed(self._secrets, body, request.headers.get("X-PagerDuty-Signature")):
            raise Unauthorized("The request is not signed with PAGERDUTY_WEBHOOK_SECRET.")
        try:
            report = parse_report(body)
        except InvalidReport as error:
            raise BadRequest(str(error)) from error
        if report is None:
            return Response(status=204)
        # The signature never expires, and ids are remembered for a day.
        if self._clock() - report.occurred_at > OLDEST:
            raise Unauthorized(f"The event is older than {OLDEST.total_seconds() / 60:.0f} minutes.")
        try:
            outcome = self._record(report)
        except StoreUnavailable as error:
            raise ServiceUnavailable("The event cannot be stored now.", retry_after=RETRY_AFTER_SECONDS) from error
        log.info("Event of PagerDuty received: id=%s type=%s: %s", report.key, report.event_type, outcome)
        return Response(status=204)
