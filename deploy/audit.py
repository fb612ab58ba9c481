"""Look for known vulnerabilities of the pinned dependencies with pip-audit (`make audit`).

pip-audit ends with 1 both for a vulnerability and if it cannot reach its database, but writes its report only in the
first case: https://github.com/pypa/pip-audit#exit-codes. Without a report nothing was audited, which is said and is no
failure; AUDIT_REQUIRED=1 makes it one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ("requirements.txt", "requirements-dev.txt")
# uv downloads pip-audit when it is needed, so that the project need not depend on it.
PIP_AUDIT = (sys.executable, "-m", "uv", "tool", "run", "pip-audit")


def audit(command: tuple[str, ...]) -> int:
    """Run pip-audit, print what it found, and return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ["--disable-pip", "--require-hashes", "--format", "json", "--output", str(report)]
        options += [word for pins in PINS for word in ("--requirement", str(ROOT / pins))]
        ended = subprocess.run([*command, *options], check=False, capture_output=True, text=True)  # noqa: S603 - no shell
        text = report.read_text(encoding="utf-8") if report.exists() else ""
    if not text:
        last = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        print(f"Not audited, pip-audit cannot be run or cannot reach its database: {last[:300]}")
        return 1 if os.environ.get("AUDIT_REQUIRED") else 0
    found = [(package, one) for package in json.loads(text)["dependencies"] for one in package.get("vulns", [])]
    for package, one in found:
        versions = ", ".join(one.get("fix_versions", [])) or "no version"
        print(f"{package['name']} {package['version']}: {one['id']}, fixed in {versions}")
    print(f"{len(found)} known vulnerabilities")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(audit(PIP_AUDIT))
