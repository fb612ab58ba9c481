"""Twilio: SMS through its REST API."""

from notifiers.twilio.notifier import TwilioConfig, TwilioNotifier

__all__ = ["TwilioConfig", "TwilioNotifier"]
