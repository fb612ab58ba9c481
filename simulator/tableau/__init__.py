"""The Tableau side of the simulator: its REST API, in JSON and XML."""

from flask import Flask

from simulator.tableau.endpoints import (
    auth,
    content,
    exports,
    jobs,
    labels,
    permissions,
    publishing,
    subscriptions,
    tags,
    tasks,
    users,
    webhooks,
)
from simulator.tableau.endpoints.metadata import metadata
from simulator.tableau.route import blueprint

# Importing a topic announces its routes.
TOPICS = (auth, content, exports, jobs, labels, permissions, publishing, subscriptions, tags, tasks, users, webhooks)


def register(app: Flask) -> None:
    """Put the REST API into an application."""
    app.register_blueprint(metadata)
    app.register_blueprint(blueprint())
