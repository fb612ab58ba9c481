"""`python -m bench.attacks`: repeat the attacks of docs/security.md, and print how many of each kind were survived."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "security.md"
HEADINGS = "| kind | tried | survived | skipped |\n|---|---|---|---|"


def kinds(page: str) -> dict[str, list[str]]:
    """Return the test files of each kind of attack, as the page lists them."""
    section = page.partition("## Attacks tried")[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| ([^|]+) \| (`[^|]+`) \|$", section)
    return {kind: re.findall(r"`([^`]+)`", files) for kind, files in rows}


def count(report: Path) -> dict[str, Counter[str]]:
    """Return the outcomes in a report of pytest by test file, relative to `tests`."""
    outcomes: dict[str, Counter[str]] = {}
    for case in ET.parse(report).iter("testcase"):
        file = case.get("classname", "").removeprefix("tests.").replace(".", "/") + ".py"
        bad = case.find("failure") is not None or case.find("error") is not None
        outcome = "failed" if bad else "skipped" if case.find("skipped") is not None else "survived"
        outcomes.setdefault(file, Counter())[outcome] += 1
    return outcomes


def table(found: dict[str, list[str]], outcomes: dict[str, Counter[str]]) -> str:
    """Return the table; an attack that needs a missing program is skipped and was not tried."""
    lines, total = [HEADINGS], Counter[str]()
    for kind, files in found.items():
        counts = sum((outcomes.get(file, Counter()) for file in files), Counter[str]())
        total += counts
        lines.append(_row(kind, counts))
    return "\n".join([*lines, _row("all", total)])


def _row(kind: str, counts: Counter[str]) -> str:
    return f"| {kind} | {counts['survived'] + counts['failed']} | {counts['survived']} | {counts['skipped']} |"


def main() -> int:
    """Run the tests, print the table, and return the exit code of pytest."""
    found = kinds(PAGE.read_text(encoding="utf-8"))
    files = sorted({f"tests/{file}" for names in found.values() for file in names})
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        ended = subprocess.run([sys.executable, "-m", "pytest", *options, *files], check=False, cwd=ROOT)
        print(table(found, count(report)))
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
