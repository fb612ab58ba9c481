"""`make bench`: run the measurements named (ARGS="acknowledge"), or all; `year` has options and is run alone."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable

from bench import (
    acknowledge,
    burst,
    commands,
    drain,
    growth,
    idle,
    memory,
    metrics,
    pages,
    planning,
    presses,
    rules,
    scale,
    start,
    storm,
    waiting,
)
from bench.year import __main__ as year

BENCHES: dict[str, Callable[[], None]] = {
    "acknowledge": acknowledge.run,
    "burst": burst.run,
    "commands": commands.run,
    "drain": drain.run,
    "idle": idle.run,
    "memory": memory.run,
    "metrics": metrics.run,
    "growth": growth.run,
    "pages": pages.run,
    "planning": planning.run,
    "presses": presses.run,
    "rules": rules.run,
    "scale": scale.run,
    "start": start.run,
    "storm": storm.run,
    "waiting": waiting.run,
}
NEED_WRK = {"acknowledge", "memory"}


def main(names: list[str]) -> None:
    """Run the measurements one after the other, so that they do not affect each other."""
    if names[:1] == ["year"]:
        year.main(names[1:])
        return
    chosen = names or list(BENCHES)
    # All of them before the first one runs, which may take minutes.
    for name in chosen:
        if name not in BENCHES:
            sys.exit(f"Unknown measurement '{name}'. Choose one of: {', '.join(BENCHES)}")
        if name in NEED_WRK and shutil.which("wrk") is None:
            sys.exit(f"The measurement {name} needs wrk: apt install wrk, or brew install wrk")
    for name in chosen:
        BENCHES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
