"""`make run`: the server against the real site that `.env` names, or, without one, the demo with a simulated site."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from simulator.demo import play as demo

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Serves until Ctrl-C or SIGTERM."""
    os.chdir(ROOT)
    if Path(".env").exists() or os.environ.get("TABLEAU_DOMAIN"):
        print("Starting the server for the site that .env names; Ctrl-C ends it.", flush=True)
        os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "index:app"])
    # Ctrl-C, a stop by the system and a closed terminal are the same.
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler)
    try:
        demo.play(
            port=int(os.environ.get("PORT", "8000")), simulator_port=int(os.environ.get("SIMULATOR_PORT", "8100"))
        )
    except demo.CannotStart as error:
        sys.exit(f"The demo cannot start: {error}")
    except demo.Ended as error:
        sys.exit(f"The demo is over: {error}")
    except KeyboardInterrupt:
        print("\nEverything is stopped.")


if __name__ == "__main__":
    main()
