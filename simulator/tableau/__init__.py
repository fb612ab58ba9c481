"""The Tableau side of the simulator: its REST API, in JSON and XML."""

from flask import Flask

from . import content, exports, jobs, people, tags, webhooks
from .auth import signing
from .route import blueprint

TOPICS = (content, exports, jobs, people, tags, webhooks)  # importing a topic announces its routes


def register(app: Flask) -> None:
    """Put the REST API into an application."""
    app.register_blueprint(signing)
    app.register_blueprint(blueprint())
