"""The import contracts catch what they exist for, also in modules that no contract names."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from webhooks.config.settings import ROOT

PACKAGES = ("webhooks", "tableau_rest", "notifiers", "simulator")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what lint-imports says about a copy of the packages with imports that break the contracts."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "webhooks" / "cli" / "newcomer.py").write_text("import requests\n")
    (folder / "webhooks" / "monitor" / "newcomer.py").write_text("import flask\n")
    (folder / "webhooks" / "newcomer.py").write_text("")
    for file, line in {
        "destinations.py": "import sqlalchemy",
        "planner.py": "import webhooks.context",
        "event.py": "import webhooks.job",
        "receiver.py": "import webhooks.services",
        "incidents/state.py": "import webhooks.config",
        "views/wording.py": "import click",
    }.items():
        with (folder / "webhooks" / file).open("a") as opened:
            opened.write(f"\n{line}\n")
    command = [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"]
    ended = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    return " ".join(ended.stdout.split())


@pytest.mark.parametrize(
    "violation",
    [
        "webhooks.cli.newcomer -> requests",
        "webhooks.monitor.newcomer -> flask",
        "webhooks.destinations -> sqlalchemy",
        "webhooks.planner is not allowed to import webhooks.context",
        "webhooks.event is not allowed to import webhooks.job",
        "webhooks.receiver is not allowed to import webhooks.services",
        "webhooks.incidents is not allowed to import webhooks.config",
        "webhooks.views is not allowed to import click",
        "- webhooks.newcomer",
    ],
)
def test_contract_names_the_violation(violation: str, report: str) -> None:
    """SQL, Flask and HTTP in the wrong place, an import upwards, and a module without a layer are all named."""
    assert violation in report
