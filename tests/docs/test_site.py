"""Test that the documentation's site is complete and agrees with settings, metrics and responses."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import settings_page
from tests.docs.pages import ROOT
from webhooks.observability.metrics import metric_names

PAGES = sorted((ROOT / "docs").rglob("*.md"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Return the folder of the site and the result of building it."""
    folder = tmp_path_factory.mktemp("site")
    command = [Path(sys.executable).parent / "mkdocs", "build", "--strict", "--site-dir", folder]
    # The theme's maker advertises on standard error otherwise.
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    ended = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100)
    return folder, ended


def test_site_is_built_without_a_warning(built: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The site contains every page and no broken link or anchor."""
    folder, ended = built
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert "WARNING" not in said, said
    for page in PAGES:
        name = page.relative_to(ROOT / "docs").with_suffix("")
        place = folder / (name.parent if name.name == "index" else name)
        assert (place / "index.html").exists(), f"{name} is not on the site"


def test_site_fetches_nothing_from_elsewhere(built: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """The site makes no third-party request."""
    html = (built[0] / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r'(?:<script[^>]*src|<link[^>]*rel="stylesheet"[^>]*href)="(https?:[^"]+)', html)


def test_page_of_variables_is_current() -> None:
    """The page of settings is current; if not, run `python -m deploy.settings_page`."""
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.page()


def test_figures_that_pages_name_are_given() -> None:
    """Every metric named in the documentation exists."""
    given = metric_names()
    for page in PAGES:
        named = set(re.findall(r"\btableau_webhooks_\w+", page.read_text(encoding="utf-8")))
        assert named <= given, page


def test_answers_that_the_table_names_are_those_of_the_receiver() -> None:
    """docs/http.md has a row for each status of the receiver."""
    source = (ROOT / "webhooks" / "receiver.py").read_text(encoding="utf-8")
    given = set(re.findall(r"refused\((\d{3})", source))
    table = set(re.findall(r"\| `(\d{3})`", (ROOT / "docs" / "http.md").read_text(encoding="utf-8")))
    assert given - {"500"} <= table
    assert {"200", "401", "405", "408"} <= table
