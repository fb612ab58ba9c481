"""Test the Dockerfile and compose.yaml: they pass their linters, and the files they copy can serve."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulator import Running
from tests.deploy.tools import ROOT, run
from tests.support.server import free_port, wait_for
from webhooks.config.settings import Settings

TEXT = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
FINAL = TEXT.split("\nFROM ")[-1]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
BIN = Path(sys.executable).parent


def instructions(name: str) -> list[str]:
    """Return the arguments of an instruction in the final stage."""
    return re.findall(rf"(?m)^{name} (.+)$", FINAL)


def copied() -> Iterator[tuple[str, str]]:
    """Yield source and target of everything copied from the checkout."""
    for line in instructions("COPY"):
        if not line.startswith("--from"):
            *sources, target = line.split()
            yield from ((source, target) for source in sources)


def test_hadolint_finds_nothing() -> None:
    ended = run(BIN / "hadolint", "Dockerfile")
    assert (ended.returncode, ended.stdout) == (0, "")


def test_compose_file_fits_its_specification() -> None:
    ended = run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")
    assert ended.returncode == 0, ended.stdout


def test_only_what_the_server_needs_is_sent_to_the_builder() -> None:
    """Only named files are sent to the builder, so neither `.env` nor an inbox can end up in an image."""
    lines = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    admitted = [line[1:] for line in lines if line.startswith("!")]
    assert lines[0] == "*"
    assert not any(fnmatch(name, pattern) for pattern in admitted for name in (".env", "data", "data/x", ".git"))
    for source, _ in [*copied(), ("requirements.txt", "/")]:
        assert any(fnmatch(source, pattern) for pattern in admitted), f"{source} is copied, but never sent"


def test_image_names_no_secret() -> None:
    """No secret variable has a value in the Dockerfile."""
    secret = [name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]
    assert not [name for name in secret if re.search(rf"\b{name}\b", TEXT)]


def test_image_does_not_run_as_root() -> None:
    """The last user is numeric and not 0, so Kubernetes' runAsNonRoot can check it."""
    assert int(instructions("USER")[-1].split(":")[0]) > 0


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return the folder /app of the image, created by the Dockerfile's own COPY lines."""
    app = tmp_path / "app"
    for source, target in copied():
        found = sorted(ROOT.glob(source))
        assert found, f"COPY {source}: there is no such thing"
        for path in found:
            put(path, app / target if path.is_dir() else app / target / path.name)
    return app


def put(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)


def test_what_is_copied_serves_and_is_healthy(image: Path, site: Running, tmp_path: Path) -> None:
    """CMD starts the server; HEALTHCHECK succeeds while it runs and fails after it has stopped."""
    settings = dict(pair.split("=", 1) for line in instructions("ENV") for pair in shlex.split(line))
    mine = {"PORT": str(free_port()), "DATABASE_URL": f"sqlite:///{tmp_path / 'data' / 'inbox.sqlite3'}"}
    environment = {**os.environ, **site.environment, **settings, **mine, "HOST": "127.0.0.1"}
    environment["PATH"] = f"{BIN}:{os.environ['PATH']}"
    health = json.loads(instructions("HEALTHCHECK")[0].partition(" CMD ")[2])

    def healthy() -> bool:
        return run(*health, cwd=image, env=environment).returncode == 0

    with (tmp_path / "log").open("wb") as log:
        (command,) = instructions("CMD")
        with subprocess.Popen(json.loads(command), cwd=image, env=environment, stdout=log, stderr=log) as process:
            wait_for(healthy, what="the container to be healthy")
            process.terminate()
            assert process.wait(40) == 0
    assert not healthy()


def test_compose_gives_only_known_variables() -> None:
    """A misspelt variable would be ignored silently."""
    known = {name.upper() for name in Settings.model_fields} | {"PGPASSWORD", "FORWARDED_ALLOW_IPS"}
    assert not {name for part in ("web", "worker") for name in SERVICES[part]["environment"]} - known


def test_compose_runs_each_handler_in_one_place() -> None:
    """The worker runs the jobs, the server does not."""
    assert SERVICES["web"]["environment"]["WORKER_THREADS"] == 0
    assert SERVICES["worker"]["environment"]["WORKER_THREADS"] > 0
    assert SERVICES["worker"]["command"] == ["flask", "worker"]


def test_compose_waits_longer_than_the_server_needs_to_stop() -> None:
    graceful = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["graceful_timeout"]
    assert all(int(SERVICES[part]["stop_grace_period"].removesuffix("s")) > graceful for part in ("web", "worker"))


def test_compose_publishes_nothing_to_the_network() -> None:
    """Public traffic arrives through a proxy with https; only the other containers can reach the database."""
    assert all(port.startswith("127.0.0.1:") for service in SERVICES.values() for port in service.get("ports", []))
    assert "ports" not in SERVICES["db"]


def test_compose_starts_only_with_a_database_password() -> None:
    """The database password has no default."""
    assert SERVICES["db"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
