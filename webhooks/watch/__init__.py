"""The watch over our webhooks: are they there, are they on, does anything come; and what was missed meanwhile."""

from webhooks.watch.notices import ORIGIN, is_notice
from webhooks.watch.rounds import Aims, Rounds
from webhooks.watch.watch import Look, Watch

__all__ = ["ORIGIN", "Aims", "Look", "Rounds", "Watch", "is_notice"]
