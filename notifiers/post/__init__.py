"""Signed POST requests to your own programs, by Standard Webhooks."""

from __future__ import annotations

from notifiers.post.config import PostConfig
from notifiers.post.notifier import PostNotifier

__all__ = ["PostConfig", "PostNotifier"]
