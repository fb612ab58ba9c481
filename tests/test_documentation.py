"""Test that example-env and the documentation agree with the settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from webhooks.config.settings import ROOT, Settings

EXAMPLE = ROOT / "example-env"
VARIABLES = [name.upper() for name in Settings.model_fields]


def pages() -> str:
    """Return the README and every page under docs/ as one text."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(file.read_text(encoding="utf-8") for file in files if file.exists())


def test_example_env_names_exactly_the_variables() -> None:
    """example-env has every variable of the settings, once, and no other."""
    named = re.findall(r"^([A-Z_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(VARIABLES)


@pytest.mark.parametrize("variable", VARIABLES)
def test_example_env_has_a_line_on_each_variable(variable: str) -> None:
    """The line above a variable explains it."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith(f"{variable}="))
    assert re.match(r"# \S.{8,}", lines[place - 1]), f"{variable} has no line of its own"


def test_example_env_as_it_stands_gives_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unchanged copy of example-env changes no setting."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(ROOT)
    copied, untouched = Settings(_env_file=EXAMPLE), Settings(_env_file=None)
    for name in Settings.model_fields:
        given, default = getattr(copied, name), getattr(untouched, name)
        assert (given.resolve() if isinstance(given, Path) else given) == default, name


def test_example_env_holds_no_secret() -> None:
    """example-env contains no credential."""
    values = dotenv_values(EXAMPLE)
    filled = {name for name, value in values.items() if value}
    secret = {name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert not filled & secret


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_is_documented(variable: str) -> None:
    """README.md or a page under docs/ mentions each variable."""
    assert re.search(rf"\b{variable}\b", pages()), f"{variable} is in neither README.md nor docs/"


def test_each_decision_has_a_number_of_its_own() -> None:
    """Its heading begins with the number of its file."""
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [file.name[:3] for file in files]
    assert len(set(numbers)) == len(numbers) >= 43
    assert [file.read_text(encoding="utf-8").partition(" ")[2][:3] for file in files] == numbers
