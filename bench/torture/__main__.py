"""`make torture`: run every scene on both databases and then every flawed inbox; exit with 1 if anything is wrong.

ARGS="kills=20 full-disk flaws" runs some of them.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack

from bench.disk import compiler
from bench.postgres import Server, binaries
from bench.torture.flaws import FLAWS
from bench.torture.notices import COUNT as NOTICE_COUNT
from bench.torture.notices import SCENE as NOTICES
from bench.torture.notices import run_notices
from bench.torture.runner import HEADINGS, row, run_scene
from bench.torture.scenes import COUNTS, ONLY_POSTGRES, ONLY_SQLITE, SCENES

FLAW_COUNT = {"kills": 9, "power-failures": 3, "concurrent-duplicates": 20, "suspended-process": 2, "full-disk": 1}


def main(words: list[str]) -> int:
    """Run the scenes, print one row for each, and return the exit code."""
    chosen = dict(word.partition("=")[::2] for word in words)
    names = [*SCENES, NOTICES, "flaws"]
    unknown = set(chosen) - set(names)
    if unknown:
        sys.exit(f"Unknown scene '{', '.join(unknown)}'. Choose from: {', '.join(names)}")
    wrong = 0
    print(HEADINGS, flush=True)
    with ExitStack() as stack:
        server = stack.enter_context(Server()) if binaries() else None
        if server is None:
            print("PostgreSQL is not installed: only SQLite is tested")
        for scene in SCENES:
            if (chosen and scene not in chosen) or (scene == "power-failures" and compiler() is None):
                continue
            count = int(chosen.get(scene) or COUNTS[scene])
            if scene not in ONLY_POSTGRES:
                wrong += _run(scene, count, "SQLite", None)
            if server is not None and scene not in ONLY_SQLITE:
                wrong += _run(scene, count, "PostgreSQL", server)
        if not chosen or NOTICES in chosen:
            wrong += _run_notices(int(chosen.get(NOTICES) or NOTICE_COUNT), server)
    if not chosen or "flaws" in chosen:
        print("Deliberately wrong inboxes:")
        for flaw, (_, scene) in FLAWS.items():
            verdict = run_scene(scene, FLAW_COUNT[scene], flaw=flaw)
            print(row(flaw, "MISSED" if verdict.clean else "caught", verdict), flush=True)
            wrong += verdict.clean
    print(f"{wrong} of these are wrong" if wrong else "Nothing is wrong")
    return min(wrong, 1)


def _run(scene: str, count: int, database: str, server: Server | None) -> bool:
    verdict = run_scene(scene, count, server=server)
    print(row(scene, database, verdict), flush=True)
    return not verdict.clean


def _run_notices(count: int, server: Server | None) -> int:
    """Run the scene with Slack on each database, and return how many are wrong."""
    wrong = 0
    for title, database in [("SQLite", None), *([("PostgreSQL", server)] if server else [])]:
        verdict = run_notices(count, server=database)
        print(row(NOTICES, title, verdict), flush=True)
        wrong += not verdict.clean
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
