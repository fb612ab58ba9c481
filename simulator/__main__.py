"""Run the simulator alone: `python -m simulator`, on SIMULATOR_PORT (8100); accepts the options of `flask run`."""

from __future__ import annotations

import os
import sys

from flask.cli import cli

if __name__ == "__main__":
    # A .env may have the credentials of a real site; Flask would read it.
    os.environ.setdefault("FLASK_SKIP_DOTENV", "1")
    port = os.environ.get("SIMULATOR_PORT", "8100")
    cli.main(["--app", "simulator", "run", "--port", port, *sys.argv[1:]])
