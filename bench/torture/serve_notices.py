"""The application of the server whose processes die when Slack has accepted a message: ours, with short waits.

gunicorn runs it as `bench.torture.serve_notices:app`. Each post, and each reply in a thread, kills its process once.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from notifiers import Posted
from notifiers.slack.notifier import SlackNotifier
from webhooks.app import create_app
from webhooks.context import notice_lock, pending_posts

KILLS = Path(os.environ["TORTURE_LOG"])
# The real times allow for a slow service; here it responds at once, and the lease is two seconds.
pending_posts.LOOKUP_SECONDS = 2.0
pending_posts.REPEAT_SECONDS = 4.0
notice_lock.LOCK_SECONDS = 4.0

post, reply = SlackNotifier.post, SlackNotifier.reply


def die_once(client_id: str) -> None:
    """Kill this process with -9, unless one has died after this post before."""
    line = f"{client_id}\n"
    if client_id and line not in KILLS.read_text():
        descriptor = os.open(KILLS, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, line.encode())
        os.kill(os.getpid(), signal.SIGKILL)


def post_and_die(self: SlackNotifier, *words: Any, client_id: str = "") -> Posted:
    """Post, and die before anything is recorded."""
    posted = post(self, *words, client_id=client_id)
    die_once(client_id)
    return posted


def reply_and_die(self: SlackNotifier, *words: Any, client_id: str = "") -> Posted:
    """Reply, and die before anything is recorded."""
    posted = reply(self, *words, client_id=client_id)
    die_once(client_id)
    return posted


SlackNotifier.post = post_and_die  # type: ignore[assignment, method-assign]
SlackNotifier.reply = reply_and_die  # type: ignore[assignment, method-assign]
app = create_app()
