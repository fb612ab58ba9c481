"""One behaviour for all entry points: where variables, paths and addresses come from."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from webhooks.config.environment import require_free_address, unusable_proxies
from webhooks.config.settings import ROOT
from webhooks.event import build
from webhooks.inbox import Inbox

PARTS = ("webhooks", "tableau_rest", "notifiers", "deploy", "index.py", "gunicorn.conf.py", ".flaskenv", "rules.toml")
# A handler that reports what the process sees when it is loaded.
PROBE = """
import json, os, sys, time
names = ("HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "TZ", "TICKET_TOKEN", "WEBHOOK_TOKEN", "OF_ANOTHER_PROJECT")
print("PROBE", json.dumps([time.tzname[0], {name: os.environ.get(name) for name in names}]), flush=True)
"""
ENV_FILE = """
TABLEAU_DOMAIN=tableau.example.org
TABLEAU_PAT_NAME=webhooks
TABLEAU_PAT_SECRET='pa${HOME}t'
WEBHOOK_TOKEN=to${HOME}ken # a comment
DATABASE_URL=sqlite:///data/events.sqlite3
WEB_CONCURRENCY=1
FORWARDED_ALLOW_IPS=192.0.2.7
HTTPS_PROXY=http://proxy.example.org:3128
NO_PROXY=internal.example.org
REQUESTS_CA_BUNDLE=/etc/ssl/ours.pem
TZ=Asia/Tokyo
TICKET_TOKEN=a${HOME}b
"""
GUNICORN = (sys.executable, "-m", "gunicorn")
FLASK = (sys.executable, "-m", "flask")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the program with an env file and a handler that reports its environment."""
    root = tmp_path / "project"
    root.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, root / part)
    (root / ".env").write_text(ENV_FILE, encoding="utf-8")
    (root / "webhooks" / "handlers" / "zz_probe.py").write_text(PROBE, encoding="utf-8")
    return root


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Return a folder with the env file of another project."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / ".env").write_text("WEBHOOK_TOKEN=other\nOF_ANOTHER_PROJECT=1\nSLACK_CHANNEL=#other\n", encoding="utf-8")
    return folder


def run(command: tuple[object, ...], folder: Path, *, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    dropped = ("TZ", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "FLASK_APP", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    words = [str(word) for word in command]
    return subprocess.run(
        words,
        check=False,
        cwd=folder,
        env={**environment, **more},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


def probe(ended: subprocess.CompletedProcess[str]) -> Any:
    lines = [line for line in (ended.stdout + ended.stderr).splitlines() if line.startswith("PROBE ")]
    assert lines, ended.stdout + ended.stderr
    return json.loads(lines[0].removeprefix("PROBE "))


def entry_points(project: Path, elsewhere: Path) -> Iterator[tuple[tuple[object, ...], Path]]:
    conf = project / "gunicorn.conf.py"
    yield (*GUNICORN, "--check-config", "index:app"), project
    yield (*GUNICORN, "--check-config", "--config", conf, "index:app"), elsewhere
    yield (*FLASK, "rules", "check"), project
    yield (*FLASK, "--app", project / "index", "rules", "check"), elsewhere
    yield (sys.executable, "-m", "deploy.release"), project


def test_env_file_counts_the_same_for_every_entry_point(project: Path, elsewhere: Path) -> None:
    """Proxies, certificates, the time zone and variables of handlers reach the server like the commands, literally.

    Settings are not added to the environment, and the env file of the current folder does not count.
    """
    expected = [
        "JST",
        {
            "HTTPS_PROXY": "http://proxy.example.org:3128",
            "NO_PROXY": "internal.example.org",
            "REQUESTS_CA_BUNDLE": "/etc/ssl/ours.pem",
            "TZ": "Asia/Tokyo",
            "TICKET_TOKEN": "a${HOME}b",
            "WEBHOOK_TOKEN": None,
            "OF_ANOTHER_PROJECT": None,
        },
    ]
    for command, folder in entry_points(project, elsewhere):
        assert probe(run(command, folder)) == expected, command


def test_environment_overrides_the_env_file(project: Path, elsewhere: Path) -> None:
    """For every entry point; an empty variable is unset."""
    for command, folder in entry_points(project, elsewhere):
        _, seen = probe(run(command, folder, HTTPS_PROXY="http://other.example.org:3128", NO_PROXY=""))
        assert seen["HTTPS_PROXY"] == "http://other.example.org:3128", command
        assert seen["NO_PROXY"] == "internal.example.org", command


def test_settings_are_the_same_for_commands_and_server(project: Path, elsewhere: Path) -> None:
    """They are read literally from the project's env file, wherever the command is started."""
    read = "import json; from flask import current_app; s = current_app.extensions['webhooks'].settings"
    printed = "json.dumps([s.webhook_token.get_secret_value(), s.database_url.get_secret_value(), s.slack_channel])"
    expected = json.dumps(["to${HOME}ken", f"sqlite:///{project}/data/events.sqlite3", ""])
    serving = f"import sys; sys.path.insert(0, {str(project)!r}); from index import app"
    for folder in (project, elsewhere):
        server = run((sys.executable, "-c", f"{serving}\nwith app.app_context(): {read}; print({printed})"), folder)
        assert expected in server.stdout, server.stderr
        shell = run((*FLASK, "--app", project / "index", "shell"), folder, stdin=f"{read}; print({printed})")
        assert expected in shell.stdout, shell.stderr


def test_variables_of_gunicorn_may_be_in_the_env_file(project: Path) -> None:
    """WEB_CONCURRENCY and FORWARDED_ALLOW_IPS, which gunicorn itself reads from the environment only."""
    for more, workers in (({}, "1"), ({"WEB_CONCURRENCY": "3"}, "3")):
        printed = run((*GUNICORN, "--print-config", "index:app"), project, **more).stdout
        options = dict(line.split("=", 1) for line in printed.replace(" ", "").splitlines() if "=" in line)
        assert (options["workers"], options["forwarded_allow_ips"]) == (workers, "['192.0.2.7']")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("WEBHOOK_TOKEN='s3cret", ".env is invalid:\n  line 2: WEBHOOK_TOKEN: the quotation mark ' is not closed"),
        ("WEBHOOK_TOKEN: s3cret", ".env is invalid:\n  line 2: write WEBHOOK_TOKEN=value"),
        ("WEB_CONCURRENCY=two", "WEB_CONCURRENCY: 'two' is not a number of processes"),
    ],
)
def test_server_does_not_start_with_an_invalid_env_file(line: str, error: str, project: Path) -> None:
    """It would accept events from everyone; the error is one sentence that names the line."""
    (project / ".env").write_text(f"TABLEAU_DOMAIN=tableau.example.org\n{line}\n")
    ended = run((*GUNICORN, "index:app"), project)
    assert ended.returncode != 0
    assert error in ended.stderr
    assert "s3cret" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_command_does_not_run_with_an_invalid_env_file(project: Path) -> None:
    """Commands refuse it like the server, without a traceback."""
    (project / ".env").write_text("WEBHOOK_TOKEN s3cret\n")
    for command in ((*FLASK, "rules", "check"), (sys.executable, "-m", "deploy.release")):
        ended = run(command, project)
        assert ended.returncode != 0
        assert "line 1: write WEBHOOK_TOKEN=value" in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("content", [b"\xff\xfeA\x00=\x001\x00", "A=1\nSLACK_CHANNEL=#f\xfcr".encode("cp1252")])
def test_env_file_in_another_encoding_is_named(content: bytes, project: Path) -> None:
    """The server and `python -m webhooks` name the file; plain `flask`, whose own reader comes first, does nothing."""
    (project / ".env").write_bytes(content)
    for command in ((*GUNICORN, "index:app"), (sys.executable, "-m", "webhooks", "rules", "check")):
        ended = run(command, project)
        assert ended.returncode != 0
        assert f"Cannot read {project / '.env'}: the file is not UTF-8" in ended.stderr
        assert "Traceback" not in ended.stderr
    plain = run((*FLASK, "rules", "check"), project)
    assert (plain.returncode, plain.stdout) == (1, "")
    assert "UnicodeDecodeError" in plain.stderr


def test_gunicorn_without_its_configuration_is_refused(project: Path, elsewhere: Path) -> None:
    """Started in another folder it does not find gunicorn.conf.py, and would serve with one thread and no limits."""
    ended = run((*GUNICORN, "--chdir", project, "index:app", "--bind", "127.0.0.1:0"), elsewhere)
    assert ended.returncode != 0
    assert f"gunicorn runs without its configuration. Start it in {project}, or add --config" in ended.stderr


def test_relative_paths_do_not_depend_on_the_folder(project: Path, elsewhere: Path) -> None:
    """A command that is started elsewhere uses the project's inbox and rules, and creates nothing there."""
    (project / ".env").write_text("DATABASE_URL=sqlite:///data/events.sqlite3\nRULES_FILE=conf/rules.toml\n")
    (project / "conf").mkdir()
    (project / "conf" / "rules.toml").write_text('[[rule]]\nname = "Ours"\non = "*"\nnotify = "console"\n')
    ended = run((*FLASK, "--app", project / "index", "rules", "check"), elsewhere)
    assert (ended.returncode, "Ours" in ended.stdout) == (0, True), ended.stderr
    inbox = Inbox.open(f"sqlite:///{project}/data/events.sqlite3")
    inbox.events.receive(build("WorkbookCreated", origin="test", resource_name="Stored before"))
    inbox.close()
    ended = run((*FLASK, "--app", project / "index", "events", "list"), elsewhere)
    assert (ended.returncode, "Stored before" in ended.stdout) == (0, True), ended.stderr
    assert [path.name for path in elsewhere.iterdir()] == [".env"]


def test_free_address_is_accepted() -> None:
    """Port 0 is any free port; an address of IPv6 is accepted where there is one."""
    require_free_address("127.0.0.1", 0)
    require_free_address("localhost", 0)


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ("x86_64-conda-linux-gnu", r"HOST: 'x86_64-conda-linux-gnu' is not an address\. Shells and conda may set HOST"),
        ("192.0.2.1", r"HOST: '192\.0\.2\.1' is not an address of this machine\. Shells and conda may set HOST"),
        (socket.gethostname(), r"is the name of this machine, not an address\. Shells and conda may set HOST"),
    ],
)
def test_host_of_other_programs_is_named(host: str, problem: str) -> None:
    """Programs such as conda and zsh set HOST for their own purposes."""
    with pytest.raises(RuntimeError, match=problem):
        require_free_address(host, 0)


def test_port_in_use_is_one_sentence(project: Path) -> None:
    """The server says it once, instead of gunicorn's five attempts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = run((*GUNICORN, "index:app"), project, PORT=str(port))
    assert ended.returncode == 1
    assert f"Error: PORT: port {port} of 127.0.0.1 is in use. Stop the program that uses it, or set" in ended.stderr
    assert "Retrying" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("address", "is_usable"),
    [
        ("", True),
        ("http://proxy.example.org:3128", True),
        ("proxy.example.org:3128/", True),
        ("http://ann:s3cr%40t@[::1]:3128", True),
        ('"http://proxy.example.org:3128"', False),
        ("http//proxy.example.org:3128", False),
        ("http://ann:s3cret@proxy.example.org:port", False),
        ("https://proxy.example.org:3128", False),
        ("socks5://proxy.example.org:1080", False),
        (" ", False),
    ],
)
def test_proxy_that_cannot_be_used_is_a_warning(address: str, is_usable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call would fail for itself, with words of a library; a password is not shown."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", address)
    expected = "HTTPS_PROXY is not the address of an HTTP proxy, such as http://proxy.example.org:3128"
    assert unusable_proxies() == ([] if is_usable else [expected])
