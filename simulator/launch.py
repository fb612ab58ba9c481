"""Start `make run`: the server for the site of the settings, or without one the demo with a simulated site."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from simulator.demo import play as demo

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Serve until Ctrl-C or SIGTERM."""
    os.chdir(ROOT)
    if Path(".env").exists() or os.environ.get("TABLEAU_DOMAIN"):
        print("Starting the server with your settings. Stop it with Ctrl-C.", flush=True)
        os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "index:app"])
    # Stop in the same way for Ctrl-C, a signal of the system and a closed terminal.
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler)
    print("Starting the demo: a simulated Tableau site, Slack and Twilio.", flush=True)
    port, simulator_port = os.environ.get("PORT", "8000"), os.environ.get("SIMULATOR_PORT", "8100")
    try:
        demo.play(port=int(port), simulator_port=int(simulator_port))
    except demo.CannotStart as error:
        sys.exit(f"The demo cannot start. {error}")
    except demo.ServerEnded as error:
        sys.exit(f"The demo has ended. {error}")
    except KeyboardInterrupt:
        print("\nDemo stopped.")


if __name__ == "__main__":
    main()
