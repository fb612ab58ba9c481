"""pyproject.toml, requirements.txt and environment.yml name the same packages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from deploy.lock import canonical, closure, groups

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def pins(lines: list[str]) -> dict[str, str]:
    """Name -> version of `name==version` lines; anything else is a mistake."""
    matches = [re.fullmatch(r"([a-z0-9-]+)==(\S+)", line) for line in lines if not line.startswith("#")]
    return {match[1]: match[2] for match in matches if match or pytest.fail(f"not a pin: {lines}")}


def file(name: str) -> dict[str, str]:
    return pins((ROOT / name).read_text(encoding="utf-8").splitlines())


def test_conda_environment_has_the_pins_of_requirements() -> None:
    """Whichever way somebody installs, the same versions run."""
    (by_pip,) = [entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict)]
    assert pins(by_pip) == file("requirements.txt")


def test_conda_environment_can_be_made() -> None:
    """It has a name, channels, the Python we need, and the pip that installs the rest."""
    plain = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
    assert (CONDA["name"], CONDA["channels"]) == ("tableau-webhooks", ["conda-forge"])
    assert plain == [f"python{PROJECT['project']['requires-python']}", "pip"]


@pytest.mark.parametrize("text", PROJECT["project"]["dependencies"])
def test_pins_lie_in_the_ranges_of_pyproject(text: str) -> None:
    """A range that was raised and a pin that was not would install two different things."""
    wanted = Requirement(text)
    assert wanted.specifier.contains(file("requirements.txt")[canonical(wanted.name)], prereleases=True)


def test_every_package_for_developing_is_pinned() -> None:
    """`make test` installs the same on every machine."""
    named = {canonical(Requirement(text).name) for text in groups(PROJECT, "dev")}
    assert named <= set(file("requirements-dev.txt")) | set(file("requirements.txt"))


def test_nothing_is_pinned_that_nobody_needs() -> None:
    """A package that was taken out of pyproject.toml is gone from the lists as well."""
    assert set(file("requirements.txt")) == set(closure(PROJECT["project"]["dependencies"]))


def test_postgresql_driver_is_among_them() -> None:
    """DATABASE_URL may name PostgreSQL without another installation."""
    assert "psycopg" in file("requirements.txt")


def test_container_and_heroku_run_the_same_python() -> None:
    """The Dockerfile's image is that of .python-version, and pyproject.toml admits it."""
    version = (ROOT / ".python-version").read_text(encoding="utf-8").strip()
    images = re.findall(r"^FROM python:(\S+?)-slim", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(images) == {version}
    assert Requirement(f"python{PROJECT['project']['requires-python']}").specifier.contains(version)
