"""The fixtures of a running job."""

from __future__ import annotations

from tests.support.handler_context import (
    context,
    event,
    inbox,
    job,
    notifiers,
    permanent_error,
    settings,
    transient_error,
)
from tests.support.simulated_actions import simulation

__all__ = [
    "context",
    "event",
    "inbox",
    "job",
    "notifiers",
    "permanent_error",
    "settings",
    "simulation",
    "transient_error",
]
