"""`make torture`: every scene on both databases, then every flawed inbox, in one table; ends with 1 if all is not well.

ARGS="kills=20 twins flaws" plays some of it.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack

from bench.postgres import Server, binaries
from bench.torture.flaws import FLAWS
from bench.torture.runner import HEADINGS, perform, row
from bench.torture.scenes import EXPECTED, ONLY_POSTGRES, ONLY_SQLITE, SCENES

FLAW_COUNT = {"kills": 9, "twins": 20, "sleep": 2, "full disk": 1}


def main(words: list[str]) -> int:
    wanted = dict(word.partition("=")[::2] for word in words)
    unknown = set(wanted) - set(SCENES) - {"flaws"}
    if unknown:
        sys.exit(f"There is no {', '.join(unknown)}; there are {', '.join([*SCENES, 'flaws'])}")
    faults = 0
    print(HEADINGS, flush=True)
    with ExitStack() as stack:
        server = stack.enter_context(Server()) if binaries() else None
        if server is None:
            print("PostgreSQL's server is not installed: only SQLite is tortured")
        for scene in SCENES:
            if not wanted or scene in wanted:
                faults += _both(scene, int(wanted.get(scene) or EXPECTED[scene]), server)
    if not wanted or "flaws" in wanted:
        faults += _flaws()
    print("Nothing is wrong" if not faults else f"{faults} of these are wrong")
    return min(faults, 1)


def _both(scene: str, count: int, server: Server | None) -> int:
    faults = 0
    for database, where in (("SQLite", None), ("PostgreSQL", server)):
        if (where is None and (database == "PostgreSQL" or scene in ONLY_POSTGRES)) or (where and scene in ONLY_SQLITE):
            continue
        account = perform(scene, count, server=where)
        print(row(scene, database, account), flush=True)
        faults += not account.clean
    return faults


def _flaws() -> int:
    """Each has to be caught: an account that comes out clean is the torture's own fault."""
    missed = 0
    print("Flawed on purpose:")
    for flaw, (_, scene) in FLAWS.items():
        account = perform(scene, FLAW_COUNT[scene], flaw=flaw)
        print(row(flaw, "caught" if not account.clean else "MISSED", account), flush=True)
        missed += account.clean
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
