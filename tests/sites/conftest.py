"""Two sites of a simulated Tableau, each with its own token, and a server that knows both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator import Config, Running, running
from tests.support.simulated_site import flask, inbox, make_flask, services
from webhooks.config.settings import Settings

__all__ = ["flask", "inbox", "make_flask", "services"]

BRANCH_SECRET = "branch-pat-secret"
RULES = """
[[rule]]
name = "Everywhere"
on = "WorkbookCreated"
notify = "slack:#bi"

[[rule]]
name = "Branch only"
on = "WorkbookDeleted"
where = { site = "Branch*" }
notify = "slack:#bi"
"""


@pytest.fixture
def world() -> Iterator[Running]:
    """Run a Tableau with the sites acme and branch, and a Slack workspace."""
    config = Config(refresh_seconds=0, retry_waits=(0.3, 0.6, 1.2), more_pats={"branch": BRANCH_SECRET})
    with running(config) as started:
        yield started


@pytest.fixture
def sites_file(world: Running, tmp_path: Path) -> Path:
    config = world.world.config
    file = tmp_path / "sites.toml"
    file.write_text(
        f'[[site]]\nname = "Head Office"\ndomain = "{world.url}"\nsitename = "{config.content_url}"\n'
        f'pat_name = "{config.pat_name}"\npat_secret = "{config.pat_secret}"\n\n'
        f'[[site]]\nname = "Branch"\ndomain = "{world.url}"\nsitename = "branch"\n'
        f'pat_name = "branch"\npat_secret = "{BRANCH_SECRET}"\n',
        encoding="utf-8",
    )
    return file


@pytest.fixture
def simulated(world: Running, sites_file: Path, tmp_path: Path) -> dict[str, str]:
    """Return the variables for Slack, and the sites file instead of the variables for Tableau."""
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8")
    others = {name: value for name, value in world.environment.items() if not name.startswith("TABLEAU_")}
    return {**others, "SITES_FILE": str(sites_file), "RULES_FILE": str(tmp_path / "rules.toml")}


@pytest.fixture
def settings(simulated: dict[str, str], tmp_path: Path) -> Settings:
    given = {name.lower(): value for name, value in simulated.items()}
    database = f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    own = {"database_url": database, "webhook_token": "sites-tok-4f1d", "worker_threads": 0}
    return Settings.read(_env_file=None, **{**given, **own})
