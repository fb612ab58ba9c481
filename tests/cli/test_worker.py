"""`flask worker` as a separate process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from simulator import Running
from tests.cli.conftest import Receive
from tests.support.simulated_site import settings, site
from webhooks.config.settings import ROOT, Settings
from webhooks.inbox import Inbox

__all__ = ["settings", "site"]


def test_worker_runs_until_sigterm(settings: Settings, site: Running, inbox: Inbox, receive: Receive) -> None:
    """A separate process plans and runs the events in the inbox, and ends cleanly on the signal."""
    event_id = receive("WorkbookCreated")
    given = {"DATABASE_URL": settings.database_url.get_secret_value(), "RULES_FILE": str(settings.rules_file)}
    environment = {**os.environ, **site.environment, **given, "WORKER_THREADS": "0", "FLASK_APP": "index"}
    command = [sys.executable, "-m", "flask", "worker", "--threads", "1"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while _states(inbox, event_id) != ["done"] and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            output, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert _states(inbox, event_id) == ["done"], errors.decode()
    assert (process.returncode, b"Traceback" in errors) == (0, False)
    assert b"Finance 2026" in output


def _states(inbox: Inbox, event_id: int) -> list[str]:
    record = inbox.events.get(event_id)
    assert record
    return [job.job.state.word for job in record.jobs]
