"""Test the table of attacks that `python -m bench.attacks` prints."""

from __future__ import annotations

from pathlib import Path

from bench import attacks

REPORT = """<testsuites><testsuite>
<testcase classname="tests.security.test_a" name="test_x[1]"/>
<testcase classname="tests.security.test_a" name="test_x[2]"><failure message="no"/></testcase>
<testcase classname="tests.security.test_b" name="test_y"><skipped/></testcase>
</testsuite></testsuites>"""


def test_each_kind_counts_its_tests(tmp_path: Path) -> None:
    """A failed attack is tried and not survived, and one that is skipped was not tried."""
    report = tmp_path / "report.xml"
    report.write_text(REPORT, encoding="utf-8")
    text = attacks.table({"floods": ["security/test_a.py", "security/test_b.py"]}, attacks.count(report))
    assert text.splitlines()[2:] == ["| floods | 2 | 1 | 1 |", "| all | 2 | 1 | 1 |"]


def test_page_lists_the_kinds() -> None:
    """The table of the page on security is found, with files that exist."""
    found = attacks.kinds(attacks.PAGE.read_text(encoding="utf-8"))
    assert len(found) > 10
    assert all((attacks.ROOT / "tests" / file).exists() for files in found.values() for file in files)
