"""Test `make audit` with programs in place of pip-audit that write its report, or none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from deploy.audit import audit

SAFE = {"name": "flask", "version": "3.1.0", "vulns": []}
VULNERABLE = {"name": "requests", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}


def program(folder: Path, report: object) -> tuple[str, ...]:
    """Return a command that writes `report` where pip-audit would; None: it fails as without a network."""
    script = folder / "program.py"
    lines = ["import sys", "path = sys.argv[sys.argv.index('--output') + 1]"]
    if report is None:
        lines.append("sys.exit('ERROR: connection refused')")
    else:
        lines.append(f"open(path, 'w').write({json.dumps(report)!r})")
    script.write_text("\n".join(lines), encoding="utf-8")
    return (sys.executable, str(script))


@pytest.mark.parametrize(
    ("dependencies", "code", "text"),
    [
        ([SAFE], 0, "0 known vulnerabilities"),
        ([SAFE, VULNERABLE], 1, "requests 2.0: PYSEC-1, fixed in 2.1\n1 known vulnerabilities"),
        ([{"name": "x", "skip_reason": "y"}], 0, "0 known vulnerabilities"),
    ],
)
def test_report_decides(
    dependencies: object, code: int, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A vulnerability fails the target and is named with the version that fixes it."""
    assert audit(program(tmp_path, {"dependencies": dependencies})) == code
    assert capsys.readouterr().out.strip() == text


def test_unreachable_database_is_no_vulnerability(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said that nothing was audited; AUDIT_REQUIRED makes it a failure."""
    monkeypatch.delenv("AUDIT_REQUIRED", raising=False)
    assert audit(program(tmp_path, None)) == 0
    assert "Not audited" in capsys.readouterr().out
    monkeypatch.setenv("AUDIT_REQUIRED", "1")
    assert audit(program(tmp_path, None)) == 1
