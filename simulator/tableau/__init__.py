"""The simulated Tableau: its REST API in JSON and XML, and its Metadata API."""

from __future__ import annotations

from flask import Flask

from simulator.tableau.endpoints import (
    auth,
    content,
    exports,
    jobs,
    labels,
    permissions,
    publishing,
    schedules,
    subscriptions,
    tags,
    tasks,
    users,
    webhooks,
)
from simulator.tableau.endpoints.metadata import metadata
from simulator.tableau.route import blueprint

# Importing a module registers its routes.
MODULES = (
    *(auth, content, exports, jobs, labels, permissions, publishing, schedules),
    *(subscriptions, tags, tasks, users, webhooks),
)


def register(app: Flask) -> None:
    """Add both APIs to an application."""
    app.register_blueprint(metadata)
    app.register_blueprint(blueprint())
