"""`flask worker`: plan events and run handlers in a separate process."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from webhooks.arenas import limit_arenas
from webhooks.cli.support import application, signals
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import Unavailable
from webhooks.observability import logs
from webhooks.observability.tracing import TRACING

# Handler threads where WORKER_THREADS is 0, which is meant for the server.
THREADS = 4


@click.command(cls=Command, logs=True)
@click.option("--threads", type=click.IntRange(1, 64), help=f"Handler threads. Default: WORKER_THREADS, or {THREADS}.")
@with_appcontext
def worker(threads: int | None) -> None:
    """Plan events and run handlers in a separate process.

    Any number of workers can run at the same time. On SIGTERM or Ctrl-C a worker takes no more jobs, waits up to 20 s
    for those that run, and releases the rest to other workers. With WORKER_THREADS=0 the server itself runs no jobs.
    """
    limit_arenas()
    logs.show_prints_at_once()
    services = application.services()
    try:
        services.settings.require_tableau()
        TRACING.configure(enabled=services.settings.traces)
    except RuntimeError as error:
        raise Unavailable(str(error)) from None
    application.rules()
    application.inbox(serve=True)
    with signals.stop_on_signals() as stop:
        services.start_monitor()
        services.worker(threads or services.settings.worker_threads or THREADS).run_forever(stop)
    services.stop()
