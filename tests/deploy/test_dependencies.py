"""pyproject.toml, requirements.txt, requirements-dev.txt and environment.yml name the same packages."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
LISTS = ("requirements.txt", "requirements-dev.txt")
WRITTEN = (*LISTS, "environment.yml")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
# An index lists them with the packages that are installed, but they come with every environment.
INSTALLERS = {"pip", "setuptools", "wheel"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def logical_lines(name: str) -> list[str]:
    """Return the lines of a list without comments, each entry with its hashes on one line."""
    text = (ROOT / name).read_text(encoding="utf-8").replace(" \\\n", " ")
    return [line for line in text.splitlines() if not line.startswith("#")]


def pinned(name: str) -> dict[str, Requirement]:
    """Return the entries of a list by package name."""
    found = [Requirement(HASH.sub("", line).strip()) for line in logical_lines(name)]
    return {requirement.name: requirement for requirement in found}


def version(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def group(name: str) -> list[str]:
    """Return the packages of a dependency group and of the groups it includes (PEP 735)."""
    found: list[str] = []
    for entry in PROJECT["dependency-groups"][name]:
        found += [entry] if isinstance(entry, str) else group(entry["include-group"])
    return found


def closure(names: list[str]) -> set[str]:
    """Return every package that the named ones need in this environment, the named ones included."""
    found: set[str] = set()
    todo: list[Any] = [Requirement(name) for name in names]
    while todo:
        wanted = todo.pop()
        new = canonical(wanted.name) not in found
        found.add(canonical(wanted.name))
        for text in metadata.requires(wanted.name) or []:
            needed = Requirement(text)
            extras = wanted.extras or {""}
            applies = needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras)
            if applies and (new or wanted.extras) and canonical(needed.name) not in found:
                todo.append(needed)
    return found - INSTALLERS


def test_conda_environment_has_the_pins_of_requirements() -> None:
    """Both ways of installation give the same versions."""
    (by_pip,) = [entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict)]
    assert [str(Requirement(entry)) for entry in by_pip] == [str(pin) for pin in pinned("requirements.txt").values()]


def test_conda_environment_can_be_created() -> None:
    """It has a name, channels, the required Python, and the pip that installs the rest."""
    plain = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
    assert (CONDA["name"], CONDA["channels"]) == ("tableau-webhooks", ["conda-forge"])
    assert plain == [f"python{PROJECT['project']['requires-python']}", "pip"]


@pytest.mark.parametrize("name", LISTS)
def test_every_pin_is_exact_and_has_its_hashes(name: str) -> None:
    """A file that was replaced since the list was written is not installed."""
    for line in logical_lines(name):
        assert re.match(r"[a-z0-9-]+==\S+ ", line), line
        assert HASH.search(line), line


@pytest.mark.parametrize("name", WRITTEN)
def test_lists_name_no_package_index(name: str) -> None:
    """A list made behind a company's index works elsewhere."""
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links", (ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", PROJECT["project"]["dependencies"])
def test_pins_lie_in_the_ranges_of_pyproject(text: str) -> None:
    """A raised range without a raised pin would install two different versions."""
    wanted = Requirement(text)
    pin = pinned("requirements.txt")[canonical(wanted.name)]
    assert wanted.specifier.contains(version(pin), prereleases=True)


def test_every_package_for_developing_is_pinned() -> None:
    """`make test` installs the same on every machine."""
    named = {canonical(Requirement(text).name) for text in group("dev")}
    assert named <= set(pinned("requirements-dev.txt")) | set(pinned("requirements.txt"))


def test_no_package_is_pinned_twice() -> None:
    """Both lists are installed together, so a package has one version."""
    assert not set(pinned("requirements.txt")) & set(pinned("requirements-dev.txt"))


def test_pins_are_exactly_what_the_project_needs() -> None:
    """A package that was removed from pyproject.toml is removed from the lists as well, and none is missing."""
    here = {name for name, pin in pinned("requirements.txt").items() if pin.marker is None or pin.marker.evaluate()}
    assert here == closure(PROJECT["project"]["dependencies"])


def test_postgresql_driver_and_pool_are_among_them() -> None:
    """DATABASE_URL may name PostgreSQL without another installation."""
    assert {"psycopg", "psycopg-pool"} <= set(pinned("requirements.txt"))


def test_time_zones_are_among_them() -> None:
    """Slim images and Windows have no time zone database."""
    assert pinned("requirements.txt")["tzdata"].marker is None


def test_container_and_heroku_run_the_same_python() -> None:
    """The Dockerfile's image is that of .python-version, and pyproject.toml admits it."""
    python = (ROOT / ".python-version").read_text(encoding="utf-8").strip()
    images = re.findall(r"^FROM python:(\S+?)-slim", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(images) == {python}
    assert Requirement(f"python{PROJECT['project']['requires-python']}").specifier.contains(python)


def test_oldest_python_is_what_the_code_is_checked_for() -> None:
    """No later syntax, module or type is used: ruff and mypy read the code as the oldest admitted version does."""
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
