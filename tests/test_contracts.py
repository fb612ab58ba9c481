"""The import contracts see what they are there for, also in modules that nobody has listed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from webhooks.config.settings import ROOT

PACKAGES = ("webhooks", "tableau_rest", "notifiers", "simulator")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, with three imports that are against the contracts."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "webhooks" / "cli" / "newcomer.py").write_text("import requests\n")
    (folder / "webhooks" / "monitor" / "newcomer.py").write_text("import flask\n")
    with (folder / "webhooks" / "destinations.py").open("a") as file:
        file.write("\nimport sqlalchemy\n")
    return folder


def test_contracts_see_every_module(tree: Path) -> None:
    """SQL, Flask and HTTP where they do not belong are each told with the module."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"]
    ended = subprocess.run(command, cwd=tree, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    told = " ".join(ended.stdout.split())
    assert "webhooks.cli.newcomer -> requests" in told
    assert "webhooks.monitor.newcomer -> flask" in told
    assert "webhooks.destinations -> sqlalchemy" in told
