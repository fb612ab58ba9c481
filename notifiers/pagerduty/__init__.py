"""PagerDuty: alerts through its Events API v2."""

from __future__ import annotations

from notifiers.pagerduty.config import PagerDutyConfig
from notifiers.pagerduty.notifier import PagerDutyNotifier

__all__ = ["PagerDutyConfig", "PagerDutyNotifier"]
