"""A small, honest Tableau, Slack and Twilio on loopback, for trying, developing and testing."""

from .app import create_app
from .config import Config
from .serve import Running, running

__all__ = ["Config", "Running", "create_app", "running"]
