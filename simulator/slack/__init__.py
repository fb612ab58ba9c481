"""The simulated Slack: the Web API for messages, files, users and channels, and the presses of buttons."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add the Web API to an application."""
    # The world imports the workspace from this package, so the routes cannot be imported above.
    from simulator.slack import files, history, interactions, messages, socket_mode, users  # noqa: F401, PLC0415 - importing them registers their methods
    from simulator.slack.api import slack  # noqa: PLC0415 - as above

    app.register_blueprint(slack)
