"""The fixtures of planner and registry."""

from __future__ import annotations

from tests.support.handler_context import event

__all__ = ["event"]
