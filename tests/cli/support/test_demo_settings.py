"""Commands in a second terminal know the demo that runs, and never take it for a site of one's own."""

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
    """Where a demo writes; the working folder has no .env."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "demo.json"


@pytest.fixture
def demo(file: Path) -> Iterator[Path]:
    """The file of a demo that runs."""
    with settings_file(DEMO, file):
        yield file


def test_both_sides_mean_the_same_file() -> None:
    """The simulator and the commands do not know each other."""
    assert ROOT / SETTINGS_FILE == demo_settings.LENT


def test_commands_take_the_variables_of_a_running_demo(demo: Path) -> None:
    """Credentials, port and inbox; only the user may read them."""
    found = demo_settings.read(demo)
    assert (found.tableau_domain, found.missing(), found.port) == ("http://127.0.0.1:9", [], 8017)
    assert (found.slack_channel, found.tableau_pat_secret.get_secret_value()) == ("#bi", "of the demo's")
    assert found.database_url.get_secret_value() == DEMO["DATABASE_URL"]
    assert stat.S_IMODE(demo.stat().st_mode) == 0o600


def test_nothing_is_left_of_a_demo_that_ended(file: Path) -> None:
    """The file is gone, and without one there are the settings alone; another demo's file stays."""
    with settings_file(DEMO, file), settings_file({**DEMO, "PORT": "8027"}, file):
        assert demo_settings.read(file).port == 8027
    assert not file.exists()
    assert demo_settings.read(file) == Settings.read()


def test_file_of_a_killed_demo_is_not_believed(file: Path) -> None:
    """Its lock went with the process."""
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
        ("SLACK_TOKEN", "xoxb-mine"),
        ("APPRISE_URLS", "json://example.org"),
        ("DATABASE_URL", "sqlite:////tmp/mine.sqlite3"),
        ("SITES_FILE", "sites.toml"),
    ],
)
def test_settings_of_ones_own_keep_the_demo_out(
    demo: Path, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one variable of the demo's is mixed with those of a real site, inbox or notifier."""
    monkeypatch.setenv(name, value)
    assert demo_settings.read(demo) == Settings.read()


def test_env_file_keeps_the_demo_out(demo: Path) -> None:
    """Whoever has an .env means it, whatever stands in it."""
    (demo.parent / ".env").write_text("PORT=8037\n", encoding="utf-8")
    assert demo_settings.read(demo) == Settings.read()
    assert demo_settings.read(demo).port == 8037


def test_other_variables_of_the_environment_come_first(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PORT says where this command looks, also beside the demo."""
    monkeypatch.setenv("PORT", "8047")
    found = demo_settings.read(demo)
    assert (found.port, found.slack_token.get_secret_value()) == (8047, "xoxb-simulator")


def test_command_with_a_site_of_its_own_leaves_the_demo_alone(demo: Path) -> None:
    """`flask listen` neither tells the demo's Slack nor writes to its inbox."""
    assert demo_settings.apart(demo_settings.read(demo), demo) == Settings.read()
    mine = Settings.read(tableau_domain="https://tableau.example.org")
    assert demo_settings.apart(mine, demo) is mine
