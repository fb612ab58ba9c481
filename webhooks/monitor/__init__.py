"""The watch over our webhooks: are they there, are they on, does anything come; and what was missed meanwhile."""

from webhooks.monitor.alert_events import is_notice
from webhooks.monitor.checks import Aims, Rounds
from webhooks.monitor.credential import Lapse
from webhooks.monitor.missed import ORIGIN as RECONCILED
from webhooks.monitor.monitor import Look, Watch
from webhooks.monitor.reconcile import Reconcile

__all__ = ["RECONCILED", "Aims", "Lapse", "Look", "Reconcile", "Rounds", "Watch", "is_notice"]
