"""Test that the page on security names tests that exist, and all security tests."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.pages import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:\w+/)*test_\w+\.py(?:::\w+)?)`", TEXT)))
ASVS = TEXT.partition("## OWASP ASVS")[2]
# How many requirements of levels 1 and 2 each section of ASVS 5.0.0 has: they are the first ones of the section.
# https://github.com/OWASP/ASVS/tree/v5.0.0/5.0/en
SECTIONS = {
    1: (2, 9, 11, 3, 2),
    2: (3, 3, 4, 1),
    3: (0, 2, 4, 6, 5, 0, 2),
    4: (3, 1, 2, 4),
    5: (1, 3, 2, 3),
    6: (3, 12, 4, 4, 5, 3, 0, 4),
    7: (3, 4, 2, 5, 2, 2),
    8: (2, 3, 1, 1),
    9: (3, 4),
    10: (2, 2, 4, 11, 5, 2, 3),
    11: (2, 3, 3, 4, 1, 1),
    12: (3, 2, 4),
    13: (1, 5, 2, 5),
    14: (2, 4, 3),
    15: (3, 3, 7),
    16: (1, 5, 4, 3, 3),
    17: (1, 4, 2),
}
REQUIREMENTS = [
    f"{chapter}.{section}.{number}"
    for chapter, counts in SECTIONS.items()
    for section, count in enumerate(counts, 1)
    for number in range(1, count + 1)
]


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


def test_every_requirement_has_one_answer() -> None:
    """All requirements of levels 1 and 2 are in exactly one of the two tables, those that apply in order."""
    applicable = re.findall(r"(?m)^\| V(\d+\.\d+\.\d+) \| [^|]+ \| [^|]+ \|$", ASVS)
    others = [
        number for row in re.findall(r"(?m)^\| V\d+\.\d+ \| (V.+) \| [^|]+ \|$", ASVS) for number in row.split(", ")
    ]
    assert sorted([*applicable, *(number.removeprefix("V") for number in others)]) == sorted(REQUIREMENTS)
    assert applicable == [number for number in REQUIREMENTS if number in applicable]


def test_sections_have_their_own_requirements() -> None:
    """A row about requirements that do not apply names those of its section only."""
    for section, row in re.findall(r"(?m)^\| (V\d+\.\d+) \| (V.+) \| [^|]+ \|$", ASVS):
        assert all(number.startswith(f"{section}.") for number in row.split(", ")), section
