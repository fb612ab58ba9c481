"""`make bench`: runs the measurements named (ARGS="acknowledge"), or all."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable

from bench import acknowledge

BENCHES: dict[str, Callable[[], None]] = {"acknowledge": acknowledge.run}


def main(names: list[str]) -> None:
    if shutil.which("wrk") is None:
        sys.exit("The benchmark needs wrk: apt install wrk, or brew install wrk")
    for name in names or BENCHES:
        if name not in BENCHES:
            sys.exit(f"There is no benchmark {name}; there are {', '.join(BENCHES)}")
        BENCHES[name]()


main(sys.argv[1:])
