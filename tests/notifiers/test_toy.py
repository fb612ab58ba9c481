"""A new kind of notifier needs its own folder and one line in the table; everything else finds it there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from notifiers import KINDS
from webhooks.config.settings import ROOT

PAGER = """
from dataclasses import dataclass
from notifiers import Config, Notifier, NotifierError, Receipt
from notifiers.config import variable


@dataclass(frozen=True)
class PagerConfig(Config):
    address_variable = "PAGER_TO"
    key: str = variable("PAGER_KEY", "Key of the pager service", secret=True, required=True)
    to: str = variable("PAGER_TO", "Pager of the destination `pager`")


class PagerNotifier(Notifier):
    kind, label, config_class, example = "pager", "Pager", PagerConfig, "pager:7"

    @staticmethod
    def parse_address(text):
        if not text.isdigit():
            raise ValueError(f"{text!r} is not a pager")
        return text

    def deliver(self, message, address):
        raise NotifierError(f"Pager {self.config.key} is out of range", permanent=True)

    def check(self):
        return "Pager: in range"
"""
# The line in the table; those of the real notifiers are in notifiers/kinds.py.
LINE = "import pager\nfrom notifiers.kinds import KINDS\nKINDS['pager'] = pager.PagerNotifier\n"
FLASK = "import sys\nfrom flask.cli import main\nsys.argv[0] = 'flask'\nmain()\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with the toy's module, and rules that use it."""
    (tmp_path / "pager.py").write_text(PAGER, encoding="utf-8")
    (tmp_path / "toy.py").write_text(LINE, encoding="utf-8")
    (tmp_path / "rules.toml").write_text('[[rule]]\non = "*RefreshFailed"\nnotify = ["pager:7"]\n', encoding="utf-8")
    return tmp_path


def python(folder: Path, code: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `code` with the toy in the table."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TABLEAU_", "PAGER_"))}
    environment = {
        **inherited,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
        "DATABASE_URL": f"sqlite:///{folder / 'inbox.sqlite3'}",
        "RULES_FILE": str(folder / "rules.toml"),
        "FLASK_APP": str(ROOT / "index.py"),
        "FLASK_RUN_FROM_CLI": "true",
        "NO_COLOR": "1",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-c", f"import toy\n{code}", *arguments],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_settings_read_its_variables_and_mask_its_secret(folder: Path) -> None:
    """Environment, NAME_FILE and redaction know the variables from the declaration."""
    (folder / "key").write_text("pager-secret\n", encoding="utf-8")
    code = (
        "from webhooks.config.settings import Settings\n"
        "from notifiers import Notifiers\n"
        "settings = Settings.read(_env_file=None)\n"
        "print(settings.pager_key, settings.pager_to, 'pager-secret' in settings.secrets())\n"
        "print(Notifiers.from_variables(settings.notifier_variables()).with_default_address)\n"
    )
    done = python(folder, code, PAGER_KEY_FILE=str(folder / "key"), PAGER_TO="7")
    assert done.stdout.splitlines() == ["********** 7 True", "('console', 'pager')"]


def test_destinations_warn_of_what_is_missing(folder: Path) -> None:
    """A rule may name the kind; the warning names the variable that is not set."""
    code = (
        "from notifiers import Notifiers\n"
        "from webhooks.destinations import delivery_warnings, normalize\n"
        "print(normalize(' pager : 7 '))\n"
        "print(delivery_warnings(['pager'], Notifiers.from_variables({'PAGER_KEY': 'k'})))\n"
    )
    done = python(folder, code)
    assert done.stdout.splitlines()[0] == "pager:7", done.stderr
    assert "PAGER_TO is not set" in done.stdout


def test_commands_know_it(folder: Path) -> None:
    """`doctor` checks it, `notify list` lists it, `notify test` tries it and masks its secret."""
    doctor = python(folder, FLASK, "doctor", PAGER_KEY="pager-secret", PAGER_TO="7")
    assert "Pager: in range" in doctor.stdout, doctor.stderr
    listed = python(folder, FLASK, "notify", "list", PAGER_KEY="pager-secret")
    assert "pager" in listed.stdout
    tried = python(folder, FLASK, "notify", "test", "pager:7", PAGER_KEY="pager-secret")
    assert "Could not deliver to pager:7. Pager *** is out of range" in tried.stderr
    assert "pager-secret" not in tried.stdout + tried.stderr


def test_documentation_is_required(folder: Path) -> None:
    """Tests of example-env, of the settings page and of the manual fail until the kind is documented."""
    code = (
        "from deploy import settings_page\n"
        "from webhooks.config.settings import Settings\n"
        "print('PAGER_KEY' in settings_page.page(), '## Pager' in settings_page.page())\n"
        "from tests import test_documentation\n"
        "print('PAGER_KEY' in test_documentation.VARIABLES)\n"
        "from tests.notifiers.test_toy import undocumented\n"
        "print(undocumented())\n"
    )
    done = python(folder, code)
    assert done.stdout.splitlines() == ["True True", "True", "['pager']"], done.stderr


def undocumented() -> list[str]:
    """Return the kinds that the table of destinations in the manual leaves out."""
    manual = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    return [kind for kind in KINDS if not re.search(rf"\| `{kind}[`:]", manual)]


def test_every_kind_is_in_the_manual() -> None:
    """A rule's author finds every kind of destination in the manual of rules."""
    assert undocumented() == []
