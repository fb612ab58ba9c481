"""The world of the Flask application that handles the current request."""

from __future__ import annotations

from flask import current_app

from simulator.world.world import World


def current_world() -> World:
    """Return the world of the current application."""
    world: World = current_app.extensions["simulator"]
    return world
