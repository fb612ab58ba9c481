"""The Twilio side of the simulator: sending text messages and looking at those sent."""

from flask import Flask


def register(app: Flask) -> None:
    """Put the API into an application."""
    from simulator.twilio.api import twilio  # noqa: PLC0415 -- the world imports our account before there are routes

    app.register_blueprint(twilio)
