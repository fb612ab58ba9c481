"""Test that the page on security names tests that exist, and all security tests."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.pages import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:\w+/)*test_\w+\.py(?:::\w+)?)`", TEXT)))
CHAPTERS = re.findall(r"(?m)^\| V(\d+) ", TEXT)


@pytest.mark.parametrize("name", NAMED)
def test_named_test_exists(name: str) -> None:
    """Each test on the page is a function of the file that it names."""
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert function in functions if function else any(one.startswith("test_") for one in functions)


def test_page_names_tests() -> None:
    """The search finds them, and no row names a test in another form."""
    assert len(NAMED) > 50
    assert len(re.findall(r"test_\w+\.py", TEXT)) == len(re.findall(r"`(?:\w+/)*test_\w+\.py(?:::test_\w+)?`", TEXT))


def test_all_security_tests_are_listed() -> None:
    """Every file in tests/security is in the table of attacks."""
    attacks = TEXT.partition("## Attacks tried")[2].partition("\n## ")[0]
    for file in sorted((ROOT / "tests" / "security").glob("test_*.py")):
        assert f"`security/{file.name}`" in attacks, f"docs/security.md does not list {file.name}"


def test_every_chapter_has_an_answer() -> None:
    """The 17 chapters of ASVS 5.0 are complete and in order, and no answer is empty."""
    assert [str(number) for number in range(1, 18)] == CHAPTERS
    rows = re.findall(r"(?m)^\| (?:V\d+ [^|]*)?\|.*$", TEXT.partition("OWASP ASVS")[2])
    assert len(rows) > 40
    for row in rows:
        assert row.rstrip(" |").rpartition("|")[2].strip(), row
