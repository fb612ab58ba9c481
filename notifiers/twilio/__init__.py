"""Twilio: SMS through its REST API."""

from __future__ import annotations

from notifiers.twilio.config import TwilioConfig
from notifiers.twilio.notifier import TwilioNotifier

__all__ = ["TwilioConfig", "TwilioNotifier"]
