"""The watch over our webhooks: are they there, are they on, does anything come; and what was missed meanwhile."""

from webhooks.watch.lapse import Lapse
from webhooks.watch.missed import ORIGIN as RECONCILED
from webhooks.watch.notices import is_notice
from webhooks.watch.reconcile import Reconcile
from webhooks.watch.rounds import Aims, Rounds
from webhooks.watch.watch import Look, Watch

__all__ = ["RECONCILED", "Aims", "Lapse", "Look", "Reconcile", "Rounds", "Watch", "is_notice"]
