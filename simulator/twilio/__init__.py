"""The simulated Twilio: send text messages and read those sent."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add the API to an application."""
    # The world imports the account from this package, so the routes cannot be imported above.
    from simulator.twilio.api import twilio  # noqa: PLC0415 - see above

    app.register_blueprint(twilio)
