"""Tableau, Slack and Twilio simulated on loopback, for trials, development and tests."""

from __future__ import annotations

from simulator.app import create_app
from simulator.config import Config
from simulator.serve import Running, running

__all__ = ["Config", "Running", "create_app", "running"]
