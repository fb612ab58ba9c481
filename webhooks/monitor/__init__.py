"""Periodic checks of our webhooks in Tableau, the certificate, the credential and the stream of events.

The checks raise alerts, which are events of their own, and reconcile the events that were missed.
"""

from webhooks.monitor.assembly import Lookups, build_monitor, build_watch, monitors_webhooks
from webhooks.monitor.monitor import Check, Monitor

__all__ = ["Check", "Lookups", "Monitor", "build_monitor", "build_watch", "monitors_webhooks"]
