"""The simulated services that only take messages: Teams, PagerDuty, Slack's incoming webhooks, a program, mail."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add the services to an application."""
    # The world imports the state from this package, so the routes cannot be imported above.
    from simulator.receivers import pagerduty, program, slack_webhook, teams  # noqa: PLC0415 - see above

    for service in (teams, pagerduty, slack_webhook, program):
        app.register_blueprint(service.blueprint)
