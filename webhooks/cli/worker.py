"""`flask worker`: plans events and runs handlers in a process of its own."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from webhooks.cli.support import application, signals
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import Unavailable

THREADS = 4
"""Where WORKER_THREADS is 0, which is said to the server."""


@click.command(cls=Command)
@click.option("--threads", type=click.IntRange(1, 64), help=f"Handler threads. Default: WORKER_THREADS, or {THREADS}.")
@with_appcontext
def worker(threads: int | None) -> None:
    """Run handlers in a process of their own.

    Until SIGTERM or Ctrl-C, and in as many processes as you like. On the signal it takes no more jobs, lets those that
    run finish for 20 s, and gives the rest back. With WORKER_THREADS=0 the server itself runs none.
    """
    services = application.services()
    try:
        services.settings.require_tableau()
    except RuntimeError as error:
        raise Unavailable(str(error)) from None
    application.rules()
    application.inbox(serve=True)
    with signals.stop_on_signals() as stop:
        services.start_monitor()
        services.worker(threads or services.settings.worker_threads or THREADS).run_forever(stop)
    services.stop()
