"""A small, honest Tableau, Slack and Twilio on loopback, for trying, developing and testing."""

from simulator.app import create_app
from simulator.config import Config
from simulator.serve import Running, running

__all__ = ["Config", "Running", "create_app", "running"]
