"""`python -m bench year [--seed N] [--days N] [--resources N] [--streak SHARE] [--database sqlite|postgres|both]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.postgres import Server
from bench.year.play import Report, play
from bench.year.world import STREAK


def main(arguments: list[str]) -> None:
    """Play the year on each database, print the reports, and exit with 1 if a figure is not reached."""
    parser = argparse.ArgumentParser(prog="python -m bench year", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--resources", type=int, default=300)
    parser.add_argument("--streak", type=float, default=STREAK, help="share of refreshes that fail until suspended")
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--details", action="store_true", help="also print what was not found, and the false alarms")
    chosen = parser.parse_args(arguments)
    size = {"seed": chosen.seed, "resources": chosen.resources, "days": chosen.days, "streak": chosen.streak}
    reports: dict[str, Report] = {}
    if chosen.database != "postgres":
        # In memory where that is possible: what is measured is what is found, not the disk.
        memory = Path("/dev/shm")
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
            reports["SQLite"] = play(f"sqlite:///{Path(folder) / 'year.sqlite3'}", **size)
    if chosen.database != "sqlite":
        with Server(fsync="off") as server:
            reports["PostgreSQL"] = play(str(server.url()), **size)
    for name, report in reports.items():
        print(f"{name}, seed {chosen.seed}")
        print("\n".join(f"  {line}" for line in report.lines()))
        if chosen.details:
            print("\n".join(f"    not found: {one}" for one in report.missing))
            print("\n".join(f"    false: {kind} {luid} {at}" for kind, luid, at in report.false))
    if not all(report.is_good for report in reports.values()):
        sys.exit("The recall is too low, the false alarms are too many, or a suspension was not announced")


if __name__ == "__main__":
    main(sys.argv[1:])
