"""Find and run the programs that a test needs in addition to Python."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHERE = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def tool(name: str) -> str:
    """Return the path of a program; skip the test if it is missing, or fail it with REQUIRE_ALL=1."""
    return shutil.which(name, path=WHERE) or missing(f"{name} is not installed")


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it with REQUIRE_ALL=1."""
    if os.environ.get("REQUIRE_ALL"):
        pytest.fail(what)
    pytest.skip(what)


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command and return its result, whatever its exit code."""
    given = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run([str(word) for word in command], check=False, **given)  # type: ignore[call-overload, no-any-return]
