"""Run gunicorn for as long as the process that holds the other end of a pipe lives.

Usage: `python -m webhooks.cli.support.gunicorn_child FD …`

A parent that was killed with -9 can stop nobody, and a server that it leaves behind keeps the port. The kernel closes
the parent's end of the pipe whatever kills it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from gunicorn.app.wsgiapp import run  # type: ignore[import-untyped]


def main() -> None:
    """Runs gunicorn with the arguments behind FD until a signal, or until the pipe ends."""
    threading.Thread(target=_wait, args=(int(sys.argv.pop(1)),), name="leash", daemon=True).start()
    sys.argv[0] = "gunicorn"
    run()


def _wait(pipe: int) -> None:
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
