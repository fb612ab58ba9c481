"""Writes requirements.txt, requirements-dev.txt and environment.yml from pyproject.toml and what .venv holds."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
NEVER = {"pip", "setuptools", "wheel"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(names: list[str]) -> dict[str, str]:
    """Every package that the named ones need, with its installed version."""
    pins: dict[str, str] = {}
    todo = [Requirement(name) for name in names]
    while todo:
        wanted = todo.pop()
        name = canonical(wanted.name)
        new = name not in pins
        pins[name] = metadata.version(wanted.name)
        for text in metadata.requires(wanted.name) or []:
            needed = Requirement(text)
            extras = wanted.extras or {""}
            applies = needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras)
            if applies and (new or wanted.extras) and canonical(needed.name) not in pins:
                todo.append(needed)
    return {name: pins[name] for name in sorted(pins) if name not in NEVER}


def lines(pins: dict[str, str]) -> list[str]:
    return [f"{name}=={version}" for name, version in pins.items()]


def groups(project: dict[str, Any], name: str) -> list[str]:
    """What a dependency group names, with the groups it includes. https://peps.python.org/pep-0735/"""
    found: list[str] = []
    for entry in project["dependency-groups"][name]:
        found += [entry] if isinstance(entry, str) else groups(project, entry["include-group"])
    return found


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run = closure(project["project"]["dependencies"])
    dev = {n: v for n, v in closure(groups(project, "dev")).items() if n not in run}
    head = "# Written by `make lock` from pyproject.toml.\n"
    (ROOT / "requirements.txt").write_text(head + "\n".join(lines(run)) + "\n")
    (ROOT / "requirements-dev.txt").write_text(head + "\n".join(lines(dev)) + "\n")
    pip = "".join(f"      - {line}\n" for line in lines(run))
    (ROOT / "environment.yml").write_text(
        f"{head}name: tableau-webhooks\nchannels:\n  - conda-forge\ndependencies:\n"
        f"  - python>=3.11\n  - pip\n  - pip:\n{pip}"
    )


if __name__ == "__main__":
    main()
