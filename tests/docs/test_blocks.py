"""Every block of code in the documentation is checked: what is not run is loaded, parsed or compared."""

from __future__ import annotations

import configparser
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from pydantic import ValidationError

from notifiers.post.signature import parse_secrets, signed_headers
from simulator import running
from tests.dashboard.conftest import app, client, make_app
from tests.docs.pages import PAGES, ROOT, Block, blocks
from webhooks.clock import utc_now
from webhooks.config import sites_file
from webhooks.config.settings import Settings
from webhooks.observability import logs
from webhooks.registry import registry
from webhooks.rules import RulesSource, parse

__all__ = ["app", "client", "make_app"]

# What checks the blocks of a language; `text` is drawings, figures of measurements, and excerpts of output.
CHECKED_BY = {
    "sh": "tests/docs/test_commands.py",
    "console": "tests/docs/test_sessions.py",
    "http": "tests/notifiers/test_captures.py",
    **dict.fromkeys(("toml", "python", "json", "yaml", "ini", "env", "text"), "tests/docs/test_blocks.py"),
}
# Their rules name actions of the same page; these tests load both.
OWN_ACTIONS = {"handlers.md": "tests/handlers/test_docs.py", "pipelines.md": "tests/handlers/test_pipelines_page.py"}
# Python that another test runs.
RUN_BY = {
    "handlers.md": "tests/handlers/test_docs.py",
    "pipelines.md": "tests/handlers/test_pipelines_page.py",
    "notifier.md": "tests/notifiers/test_howto.py",
}
RULE = '\n[[rule]]\nname = "R"\non = "*"\nnotify = "console"\n'
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
# What a reader fills in, and a value of that form.
FILLED = {
    "whsec_…": SECRET,
    "T…/B…/…": "T0A/B0B/secret",
    "services/…": "services/T0A/B0C/secret",
    "https://default….": "https://default12.",
    "powerautomate/…": "powerautomate/automations/1",
    "sig=…": "sig=1",
    "https://…": "https://default12.environment.api.powerplatform.com/1?sig=1",
    "R0123…": "R0123456789ABCDEF0123456789ABCDEF",
    "R0456…": "R0456789ABCDEF0123456789ABCDEF01",
    "HX…": f"HX{'1' * 32}",
    "LINK_SECRET=…": f"LINK_SECRET={'x' * 40}",
    "…": "x",
}


def titled(*languages: str) -> Any:
    """Return the decorator that gives a test each block of these languages."""
    found = [block for block in blocks(*languages) if not block.is_capture]
    return pytest.mark.parametrize("block", found, ids=lambda block: block.title)


def test_every_block_has_a_language_that_a_test_checks() -> None:
    """A block that cannot be run says why in a comment above it."""
    unknown = [block.title for block in blocks() if not block.is_capture and block.language not in CHECKED_BY]
    assert unknown == []
    assert all((ROOT / test).exists() for test in (*CHECKED_BY.values(), *OWN_ACTIONS.values(), *RUN_BY.values()))
    fences = sum(page.read_text(encoding="utf-8").count("```") for page in PAGES)
    assert fences == 2 * len(blocks())


@titled("toml")
def test_rules_and_sites_are_loaded_without_a_warning(block: Block, tmp_path: Path) -> None:
    """They can be copied; one without a rule is valid beside a rule."""
    registry.load()
    if "[[site]]" in block.text:
        file = tmp_path / "sites.toml"
        secret = tmp_path / "finance"
        secret.write_text("secret", encoding="utf-8")
        file.write_text(block.text.replace("/run/secrets/finance", str(secret)), encoding="utf-8")
        loaded = sites_file.load(file, {"MARKETING_PAT_SECRET": "secret"})
        assert loaded.errors == []
        assert len(loaded.sites) == block.text.count("[[site]]")
    elif block.page.name not in OWN_ACTIONS:
        text = block.text if "[[rule]]" in block.text else block.text + RULE
        assert parse(RulesSource(text, {"rules.d/a.toml": ""}), registry.actions).warnings == ()


@titled("env")
def test_variables_are_accepted(block: Block) -> None:
    """Each is one of the settings, or is read by the code of the same page, and its value is valid."""
    given = dict(line.strip().split("=", 1) for line in block.text.splitlines() if line.strip())
    page = block.page.read_text(encoding="utf-8")
    own = {name for name in given if re.search(rf"environ(\.get)?[(\[]['\"]{name}", page)}
    known = {name for name in given if name.lower() in Settings.model_fields}
    assert given.keys() == own | known
    filled = "\n".join(f"{name}={given[name]}" for name in known)
    for placeholder, value in FILLED.items():
        filled = filled.replace(placeholder, value)
    values = dict(line.split("=", 1) for line in filled.splitlines())
    try:
        Settings.read(_env_file=None, **{name.lower(): value for name, value in values.items()})
    except (ValidationError, RuntimeError) as error:
        pytest.fail(f"{block.title}: {error}")


@titled("json", "yaml", "ini")
def test_documents_are_valid(block: Block, client: FlaskClient) -> None:
    """A response and a line of the log are as shown; settings of containers and services name what exists."""
    if block.page.name == "http.md":
        answer = client.post("/webhook/token-of-the-test", data=b'{"resource": "WORKBOOK"}')
        assert answer.get_json() == json.loads(block.text)
        assert list(answer.get_json()) == list(json.loads(block.text))
    elif block.page.name == "watch.md" and block.language == "json":
        shown = json.loads(block.text)
        formatter = logs.configuration(debug=False, secrets=[], as_json=True)["formatters"]["line"]["()"]()
        record = logging.LogRecord(shown["logger"], logging.INFO, "", 1, shown["message"], (), None)
        with logs.log_ids(event=shown["event"], job=shown["job"], incident=shown["incident"]):
            line = json.loads(formatter.format(record))
        changing = {name: shown[name] for name in ("time", "process", "thread")}
        assert line | changing == shown
        assert list(line) == list(shown)
    elif block.language == "yaml":
        document = yaml.safe_load(block.text)
        services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
        for name, service in document.get("services", {}).items():
            assert name in services
            assert all(one.removesuffix("_FILE").lower() in Settings.model_fields for one in service["environment"])
            assert set(service["secrets"]) <= document["secrets"].keys()
        assert "services" in document or [job["job_name"] for job in document["scrape_configs"]]
    else:
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(block.text)
        variable, _, path = unit["Service"]["Environment"].partition("=")
        assert variable.removesuffix("_FILE").lower() in Settings.model_fields
        assert path == f"%d/{unit['Service']['LoadCredential'].partition(':')[0]}"


def test_python_of_the_other_pages_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler in the README is the first of docs/handlers.md; the client and the receiver do what they show."""
    found = {block.page.name: block.text for block in blocks("python") if block.page.name not in RUN_BY}
    assert found.keys() == {"README.md", "tableau_rest.md", "post.md"}
    assert next(block.text for block in blocks("python") if block.page.name == "handlers.md") == found["README.md"]
    monkeypatch.chdir(tmp_path)
    with running() as site:
        config, home = site.world.config, site.world.home
        book = next(one for one in home.workbooks.values() if one.name == "Sales")
        code = found["tableau_rest.md"].replace("https://10ax.online.tableau.com", site.url)
        code = code.replace('"marketing"', repr(config.content_url)).replace('"bot"', repr(config.pat_name))
        code = code.replace("…", book.luid)
        view = next(one for one in home.views.values() if one.workbook == book.luid).luid
        names = {"secret": config.pat_secret, "luid": book.luid, "view": view, "yesterday": utc_now()}
        exec(compile(code, "docs/tableau_rest.md", "exec"), names)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "badly named" in book.tags
    receiver: dict[str, Any] = {}
    exec(compile(found["post.md"].replace("whsec_…", SECRET), "docs/howto/post.md", "exec"), receiver)
    body = b'{"type": "incident.open"}'
    headers = signed_headers(parse_secrets(SECRET), "msg_1", int(utc_now().timestamp()), body)
    receiver["receive"](body, headers)
    with pytest.raises(Exception, match=r"(?i)signature"):
        receiver["receive"](body + b" ", headers)
