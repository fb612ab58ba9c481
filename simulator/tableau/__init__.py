"""The Tableau side of the simulator: its REST API, in JSON and XML."""

from flask import Flask

from simulator.tableau import (
    auth,
    content,
    exports,
    jobs,
    labels,
    mails,
    people,
    permissions,
    publishing,
    tags,
    tasks,
    webhooks,
)
from simulator.tableau.metadata import metadata
from simulator.tableau.route import blueprint

# Importing a topic announces its routes.
TOPICS = (auth, content, exports, jobs, labels, mails, people, permissions, publishing, tags, tasks, webhooks)


def register(app: Flask) -> None:
    """Put the REST API into an application."""
    app.register_blueprint(metadata)
    app.register_blueprint(blueprint())
