"""The watch over our webhooks: are they there, are they on, does anything come; and what was missed meanwhile."""

from webhooks.monitor.checks import DesiredWebhooks, WebhookCheck
from webhooks.monitor.credential import CredentialCheck
from webhooks.monitor.monitor import Check, Monitor
from webhooks.monitor.reconcile import Reconciler

__all__ = [
    "Check",
    "CredentialCheck",
    "DesiredWebhooks",
    "Monitor",
    "Reconciler",
    "WebhookCheck",
]
