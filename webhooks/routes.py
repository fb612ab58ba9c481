"""The routes of the application: the receiver, what messengers call, health, pages and the API."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import BadRequest, HTTPException, InternalServerError

from notifiers.pagerduty.reports import RESOLVED
from webhooks import health, receiver
from webhooks.api import blueprint as api
from webhooks.clock import utc_now
from webhooks.dashboard import blueprint
from webhooks.event import Event
from webhooks.inbound import pagerduty_events, slack_interactions, sms_replies, sms_status
from webhooks.problem import problem_of, wants_page

# Incidents are imported with the first act: a server that starts does not wait for them.
if TYPE_CHECKING:
    from notifiers.pagerduty.reports import AlertReport
    from notifiers.twilio.replies import Reply
    from notifiers.twilio.status import StatusReport
    from webhooks.inbound.slack_presses import Target
    from webhooks.inbox import Receipt
    from webhooks.inbox.events.pending_receipt import PendingReceipt
    from webhooks.incidents import Act
    from webhooks.incidents.sms_commands import Command
    from webhooks.services import Services

log = logging.getLogger(__name__)


def register(app: Flask, services: Services) -> None:
    """Register the blueprints and the error handlers.

    Hooks belong to the blueprints whose pages need them, never to the application: none may run for /webhook.
    """

    def receive(event: Event) -> Receipt:
        return services.inbox.events.receive(event)

    def begin(event: Event, on_complete: Callable[[], None]) -> PendingReceipt:
        return services.inbox.events.begin(event, on_complete)

    def on_unavailable() -> None:
        services.outages.record()

    app.register_blueprint(
        receiver.create_blueprint(
            receive, begin, services.settings.webhook_tokens(), on_unavailable, services.count_response
        )
    )
    _register_messengers(app, services)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(blueprint.create_blueprint(services))
    app.register_blueprint(api.create_blueprint(services))
    app.register_blueprint(api.create_agents_blueprint(services))
    app.register_error_handler(HTTPException, _refuse)
    app.register_error_handler(Exception, _internal_error)


def _register_messengers(app: Flask, services: Services) -> None:
    """Register what Slack, Twilio and PagerDuty call: presses, replies by SMS, reports on messages and alerts."""
    settings = services.settings

    def record_reply(reply: Reply, command: Command) -> str:
        destinations = services.destinations_of_number(reply.sender)
        return services.inbox.sms_replies.record(reply.sid, reply.sender, destinations, command)

    def record_status(message_id: str, report: StatusReport, reason: str) -> str:
        return services.inbox.sms_status.record(message_id, report.sid, f"twilio:{report.to}", reason)

    def record_report(report: AlertReport) -> str:
        from webhooks.incidents import Act  # noqa: PLC0415 - see above

        resolved = "Resolved in PagerDuty." if report.event_type == RESOLVED else ""
        act = Act("", "acknowledge", "", utc_now(), f"{services.redact(report.person)} (PagerDuty)", text=resolved)
        changed = services.inbox.presses.record_alert(report.key, report.alert, act, origin="PagerDuty")
        return "repeated request" if changed is None else f"acknowledged {changed}"

    def record_press(key: str, target: Target, params: Mapping[str, Any], act: Act | None) -> str | None:
        from webhooks.inbound.slack_presses import recorder  # noqa: PLC0415 - see above

        return recorder(lambda: services.inbox.presses)(key, target, params, act)

    app.register_blueprint(slack_interactions.create_blueprint(record_press, services.signing_secret))
    token = settings.notifier_variables()["TWILIO_AUTH_TOKEN"]
    reply_token = token if settings.sms_replies else ""
    app.register_blueprint(sms_replies.create_blueprint(record_reply, reply_token, settings.public_url))
    app.register_blueprint(sms_status.create_blueprint(record_status, token, settings.public_url))
    app.register_blueprint(pagerduty_events.create_blueprint(record_report, services.pagerduty_secrets))


def _refuse(error: HTTPException) -> Response:
    """Return a page for a person in a browser who mistyped an address, and problem details for a program."""
    if not wants_page() or request.path.startswith(api.PREFIX):
        return problem_of(error)
    from webhooks.dashboard.serving import refuse  # noqa: PLC0415 - with templates it takes memory; most never need it

    return refuse(current_app.extensions["webhooks"], error)


def _internal_error(error: Exception) -> Response:
    """Log the error with its traceback; the response has no details. An unreadable body is the client's error."""
    # Each server has its own exceptions for invalid chunks.
    if type(error).__module__.startswith("gunicorn.http"):
        return problem_of(BadRequest("The body's chunks are invalid."))
    if request.blueprint == "receiver":
        current_app.extensions["webhooks"].outages.record()
    log.error("Request failed: %s %s", request.method, request.endpoint, exc_info=error)
    return _refuse(InternalServerError("Internal error; the server's log has the details."))
