"""Share the fixtures of a running job with the shipped actions."""

from __future__ import annotations

from tests.support.handler_context import *  # noqa: F403 - all fixtures
from tests.support.simulated_actions import simulation

__all__ = ["simulation"]
