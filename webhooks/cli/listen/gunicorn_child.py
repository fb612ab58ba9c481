"""Run gunicorn for as long as the process that holds the other end of a pipe lives.

Usage: `python -m webhooks.cli.listen.gunicorn_child FD …`

A parent killed with SIGKILL cannot stop its server, which would keep the port. The kernel closes the parent's end of
the pipe however the parent ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from gunicorn.app.wsgiapp import WSGIApplication  # type: ignore[import-untyped]

from webhooks.cli.listen import tls


class ListenApplication(WSGIApplication):  # type: ignore[misc]  # gunicorn has no types
    """The usual server; with a certificate it speaks TLS itself and serves the webhook only."""

    def load_config(self) -> None:
        super().load_config()
        if self.cfg.is_ssl:
            self.cfg.set("ssl_context", tls.gunicorn_context)
            self.cfg.set("threads", tls.THREADS)

    def load(self) -> Any:
        app = super().load()
        if self.cfg.is_ssl:
            app.wsgi_app = tls.WebhookOnly(app.wsgi_app)
        return app


def main() -> None:
    """Run gunicorn with the arguments after FD until a signal arrives or the pipe is closed."""
    pipe = int(sys.argv.pop(1))

    def stop_with_parent() -> None:
        os.read(pipe, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_with_parent, name="parent watcher", daemon=True).start()
    sys.argv[0] = "gunicorn"
    ListenApplication("%(prog)s [OPTIONS] [APP_MODULE]").run()


if __name__ == "__main__":
    main()
