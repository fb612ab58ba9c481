"""The other versions of Python that pyproject.toml admits: those that are installed on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.lock import DEV, entries
from tests.deploy.tools import ROOT, missing, run

# Minor versions: from that of requires-python to the last one for which the pinned packages have wheels.
OTHERS = [minor for minor in range(11, 15) if minor != sys.version_info.minor]
TESTING = ("iniconfig", "packaging", "pluggy", "pytest", "pytest-timeout")
# A server that delivers an event, rules, a command, and what other versions did differently. Few, as this is slow.
CHOSEN = (
    "tests/acceptance/test_delivery.py::test_events_become_messages",
    "tests/cli/events/test_list.py",
    "tests/notifiers/test_address_guard.py",
    "tests/rules/test_rules.py",
)
# The packages of the extras are not installed: a module that needs one cannot be imported without it.
IMPORT_ALL = """
import importlib, pkgutil
for package in ("webhooks", "tableau_rest", "notifiers", "simulator"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name not in ("apprise", "authlib", "opentelemetry", "tableauserverclient"):
                raise
"""


def found(minor: int) -> str | None:
    """Return the path of a Python 3.`minor` that can create virtual environments; None without one."""
    named = shutil.which(f"python3.{minor}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    able = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, {minor}))"
    for path in [*([named] if named else []), *map(str, sorted(pyenv.glob(f"3.{minor}.*/bin/python")))]:
        if subprocess.run([path, "-c", able], check=False, capture_output=True).returncode == 0:
            return path
    return None


def installed(python: str, folder: Path) -> Path:
    """Return a Python with the packages of the server and those that the chosen tests need."""
    testing = folder / "testing.txt"
    pinned = entries((ROOT / DEV).read_text(encoding="utf-8"))
    testing.write_text("".join(pinned[name][0] for name in TESTING), encoding="utf-8")
    created = run(python, "-m", "venv", folder / "venv", timeout=60)
    assert created.returncode == 0, created.stderr
    own = folder / "venv/bin/python"
    pip = run(own, "-m", "pip", "install", "--quiet", "-r", "requirements.txt", "-r", testing, timeout=300)
    return own if pip.returncode == 0 else missing(f"The packages cannot be installed: {pip.stderr[-1000:]}")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("minor", OTHERS)
def test_pins_modules_and_chosen_tests_work(minor: int, tmp_path: Path) -> None:
    """The pins can be installed, every module is imported without a warning, and the chosen tests pass."""
    python = found(minor) or pytest.skip(f"Python 3.{minor} is not installed")
    own = installed(python, tmp_path)
    imported = run(own, "-W", "error", "-c", IMPORT_ALL, timeout=60)
    assert imported.returncode == 0, imported.stderr
    tested = run(own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CHOSEN, timeout=200)
    assert tested.returncode == 0, tested.stdout
