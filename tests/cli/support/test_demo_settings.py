"""Commands in a second terminal use the settings of a running demo, unless a real site is configured."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.demo.play import SETTINGS_FILE
from simulator.demo.settings_file import settings_file
from webhooks.cli.support import demo_settings
from webhooks.config.settings import ROOT, Settings

DEMO = {
    "TABLEAU_DOMAIN": "http://127.0.0.1:9",
    "TABLEAU_PAT_NAME": "webhooks",
    "TABLEAU_PAT_SECRET": "of the demo's",
    "SLACK_TOKEN": "xoxb-simulator",
    "SLACK_CHANNEL": "#bi",
    "PORT": "8017",
    "DATABASE_URL": "sqlite:////tmp/demo.sqlite3",
}
WAIT = "print('holding', flush=True); time.sleep(60)"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that a demo writes; there is no .env."""
    monkeypatch.setattr("webhooks.config.environment.ENV_FILE", tmp_path / ".env")
    return tmp_path / "demo.json"


@pytest.fixture
def demo(file: Path) -> Iterator[Path]:
    """Return the file of a running demo."""
    with settings_file(DEMO, file):
        yield file


def test_demo_and_commands_use_the_same_file() -> None:
    """The simulator and the commands cannot import each other, so each names the file."""
    assert ROOT / SETTINGS_FILE == demo_settings.DEMO_FILE


def test_commands_take_the_variables_of_a_running_demo(demo: Path) -> None:
    """Commands use its credentials, port and inbox; only the user can read the file."""
    found = demo_settings.read(demo)
    assert (found.tableau_domain, found.missing(), found.port) == ("http://127.0.0.1:9", [], 8017)
    assert (found.slack_channel, found.tableau_pat_secret.get_secret_value()) == ("#bi", "of the demo's")
    assert found.database_url.get_secret_value() == DEMO["DATABASE_URL"]
    assert stat.S_IMODE(demo.stat().st_mode) == 0o600


def test_only_the_settings_of_the_running_demo_are_the_demo(demo: Path) -> None:
    """A site with an inbox of its own is none, whether a demo runs or not."""
    assert demo_settings.is_demo(demo_settings.read(demo), demo)
    assert not demo_settings.is_demo(Settings.read(_env_file=None, database_url="sqlite:////tmp/own.sqlite3"), demo)
    assert not demo_settings.is_demo(demo_settings.read(demo), demo.with_name("none.json"))


def test_ended_demo_leaves_no_file(file: Path) -> None:
    """It removes its file, but not that of another demo; without a file, commands use the settings alone."""
    with settings_file(DEMO, file), settings_file({**DEMO, "PORT": "8027"}, file):
        assert demo_settings.read(file).port == 8027
    assert not file.exists()
    assert demo_settings.read(file) == Settings.read()


def test_file_of_a_killed_demo_is_ignored(file: Path) -> None:
    """The kernel releases its lock with the process."""
    imports = "import time\nfrom pathlib import Path\nfrom simulator.demo.settings_file import settings_file"
    script = f"{imports}\nwith settings_file({DEMO!r}, Path({str(file)!r})):\n    {WAIT}"
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE) as killed:
        assert killed.stdout
        assert killed.stdout.readline() == b"holding\n"
        assert demo_settings.read(file).port == 8017
        killed.send_signal(signal.SIGKILL)
    assert file.exists()
    assert demo_settings.read(file) == Settings.read()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TABLEAU_DOMAIN", "https://tableau.example.org"),
        ("TABLEAU_PAT_NAME", "mine"),
        ("SLACK_TOKEN", "xoxb-own"),
        ("APPRISE_URLS", "json://example.org"),
        ("DATABASE_URL", "sqlite:////tmp/own.sqlite3"),
        ("SITES_FILE", "sites.toml"),
    ],
)
def test_variables_of_a_real_site_exclude_the_demo(
    demo: Path, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable of the demo is combined with those of a real site, inbox or notifier."""
    monkeypatch.setenv(name, value)
    assert demo_settings.read(demo) == Settings.read()


def test_env_file_excludes_the_demo(demo: Path) -> None:
    """A .env is meant to be used, whatever it contains."""
    (demo.parent / ".env").write_text("PORT=8037\n", encoding="utf-8")
    assert demo_settings.read(demo) == Settings.read()
    assert demo_settings.read(demo).port == 8037


def test_other_variables_override_the_demo(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PORT overrides the demo's port."""
    monkeypatch.setenv("PORT", "8047")
    found = demo_settings.read(demo)
    assert (found.port, found.slack_token.get_secret_value()) == (8047, "xoxb-simulator")


def test_command_with_its_own_site_ignores_the_demo(demo: Path) -> None:
    """`flask listen` uses neither the demo's Slack nor its inbox."""
    assert demo_settings.without_demo(demo_settings.read(demo), demo) == Settings.read()
    own = Settings.read(tableau_domain="https://tableau.example.org")
    assert demo_settings.without_demo(own, demo) is own
