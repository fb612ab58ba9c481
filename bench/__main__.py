"""`make bench`: runs the measurements named (ARGS="acknowledge"), or all."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable

from bench import acknowledge, drain, growth, idle, memory, scale

BENCHES: dict[str, Callable[[], None]] = {
    "acknowledge": acknowledge.run,
    "drain": drain.run,
    "idle": idle.run,
    "memory": memory.run,
    "growth": growth.run,
    "scale": scale.run,
}
NEED_WRK = {"acknowledge", "memory"}


def main(names: list[str]) -> None:
    """Runs them one after the other: two at once would measure each other."""
    for name in names or BENCHES:
        if name not in BENCHES:
            sys.exit(f"There is no benchmark {name}; there are {', '.join(BENCHES)}")
        if name in NEED_WRK and shutil.which("wrk") is None:
            sys.exit("This benchmark needs wrk: apt install wrk, or brew install wrk")
        BENCHES[name]()


main(sys.argv[1:])
