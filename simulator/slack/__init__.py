"""The Slack side of the simulator: the Web API as far as messages and files need it."""

from flask import Flask


def register(app: Flask) -> None:
    """Put the Web API into an application."""
    from simulator.slack import files, messages, people  # noqa: F401, PLC0415 -- importing them announces their methods
    from simulator.slack.api import slack  # noqa: PLC0415 -- the world imports our workspace before there are routes

    app.register_blueprint(slack)
