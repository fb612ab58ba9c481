"""`python -m simulator`: the simulator alone, on port 8100 (SIMULATOR_PORT); takes the options of `flask run`."""

import os
import sys

from flask.cli import cli

if __name__ == "__main__":
    port = os.environ.get("SIMULATOR_PORT", "8100")
    cli.main(["--app", "simulator", "run", "--port", port, *sys.argv[1:]])
