"""The simulator's own HTTP API, its settings, and its start from the command line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import slack_sdk
import twilio.rest

from simulator import Config, Running, running
from simulator.config import changeable_settings, from_environment, parse_setting
from simulator.control import http_api
from simulator.world.timer import Timer


def test_messages_show_what_was_received(slack: slack_sdk.WebClient, sms: twilio.rest.Client, control: Any) -> None:
    """Slack's messages with their files, and text messages, can be read."""
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": "Hello"}}]
    sent = slack.chat_postMessage(channel="#bi", text="Hello", blocks=blocks)
    slack.files_upload_v2(channel=sent["channel"], thread_ts=sent["ts"], content=b"abc", filename="a.txt", title="A")
    sms.messages.create(to="+15550100", from_="+15005550006", body="Hi")
    shown = control("GET", "messages")
    first, second = shown["slack"]
    assert (first["channel_name"], first["text"], first["blocks"], first["thread_ts"]) == ("#bi", "Hello", blocks, None)
    assert (second["thread_ts"], second["files"][0]["title"]) == (first["ts"], "A")
    assert [(text["to"], text["body"]) for text in shown["sms"]] == [("+15550100", "Hi")]
    assert [file["name"] for file in shown["files"]] == ["a.txt"]


def test_calls_are_counted(rest: Any, control: Any) -> None:
    """The number of sign-ins and calls can be read."""
    rest.sign_in()
    rest.get("workbooks")
    shown = control("GET", "calls?target=tableau&path=workbooks")
    assert shown["sign_ins"] == 2
    assert shown["counts"]["POST /api/-/auth/signin"] == 2
    assert [(call["method"], call["status"]) for call in shown["calls"]] == [("GET", 200)]


def test_reset_restores_the_same_identifiers(rest: Any, control: Any, simulator: Running) -> None:
    """A reset removes all changes; the same seed leads to the same contents."""
    before = control("GET", "site")
    control("POST", "events", {"event_type": "WorkbookDeleted", "name": "Sales"})
    control("POST", "faults", {"kind": "refuse"}, status=201)
    control("POST", "settings", {"duplicates": 0.5})
    assert control("POST", "reset") == {"status": "ok"}
    assert control("GET", "site") == before
    assert rest.call("GET", "workbooks").status_code == 401
    assert (simulator.world.faults.on(), simulator.world.config.duplicates) == ([], 0.0)


def test_simulators_are_independent() -> None:
    """Several simulators can run in one process."""
    with running() as one, running(Config(seed=8)) as two:
        requests.post(f"{one.url}/simulator/events", json={"event_type": "WorkbookDeleted"}, timeout=30)
        assert len(one.world.home.workbooks) == 11
        assert len(two.world.home.workbooks) == 12
        assert not set(one.world.home.workbooks) & set(two.world.home.workbooks)


def test_outcome_of_the_next_refreshes_can_be_set(simulator: Running, rest: Any, control: Any) -> None:
    """A number of refreshes fail, then they succeed again; with -1 all fail."""
    luid = control("POST", "refreshes", {"name": "Sales", "fail": 2, "reason": "no space"})["luid"]

    def notes() -> str | None:
        job = rest.call("POST", f"workbooks/{luid}/refresh", json={}).json()["job"]
        assert simulator.world.timer.settle(60)
        notes: str | None = rest.get(f"jobs/{job['id']}")["job"]["extractRefreshJob"].get("notes")
        return notes

    assert [notes(), notes(), notes()] == ["no space", "no space", None]
    control("POST", "refreshes", {"name": "Sales", "fail": -1, "reason": "gone"})
    assert [notes(), notes(), notes()] == ["gone", "gone", "gone"]
    control("POST", "refreshes", {"name": "Sales", "fail": 0})
    assert notes() is None


def test_consecutive_failures_are_counted_at_the_task(rest: Any, control: Any) -> None:
    """The consecutiveFailedCount grows with each failure and is 0 after a success."""
    counts = []
    for event in ("RefreshFailed", "RefreshFailed", "RefreshSucceeded"):
        luid = control("POST", "events", {"event_type": f"Workbook{event}", "name": "Sales"})["event"]["resource_luid"]
        tasks = [task["extractRefresh"] for task in rest.get("tasks/extractRefreshes")["tasks"]["task"]]
        counts += [task["consecutiveFailedCount"] for task in tasks if task.get("workbook", {}).get("id") == luid]
    assert counts == ["1", "2", "0"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("events", {}, 400),
        ("events", {"event_type": "WorkbookExploded"}, 409),
        ("events", {"event_type": "WorkbookDeleted", "name": "nothing"}, 409),
        ("events", {"event_type": "WorkbookDeleted", "colour": "red"}, 400),
        ("events", {"event_type": 7}, 400),
        ("events", [1], 400),
        ("refreshes", {"name": "nothing"}, 400),
        ("refreshes", {"name": "Sales", "fail": "often"}, 400),
        ("settings", {"colour": "red"}, 400),
        ("settings", {"duplicates": "many"}, 400),
        ("settings", {"pat_secret": "x"}, 400),
        ("settle", {"seconds": "long"}, 400),
    ],
)
def test_invalid_request_is_refused(control: Any, path: str, body: Any, status: int) -> None:
    """The error has a text that explains it."""
    assert len(control("POST", path, body, status=status)["error"]) > 10


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"a":' * 5000])
def test_unreadable_body_is_refused(simulator: Running, body: bytes) -> None:
    """Broken and deeply nested JSON is a 400."""
    response = requests.post(f"{simulator.url}/simulator/events", data=body, timeout=30)
    assert (response.status_code, response.json()) == (400, {"error": "The body must be JSON"})


def test_invalid_limit_is_refused(control: Any) -> None:
    """The query string is validated."""
    assert "limit" in control("GET", "calls?limit=x", status=400)["error"]


def test_pages_of_other_origins_are_refused(simulator: Running) -> None:
    """A request that a browser sends for a page of another origin is refused."""
    address = f"{simulator.url}/simulator/reset"
    assert requests.post(address, headers={"Origin": "https://evil.example"}, timeout=30).status_code == 403
    assert requests.post(address, headers={"Origin": simulator.url}, timeout=30).ok


def test_settings_can_be_changed(control: Any) -> None:
    """All settings can be read, and several are changed together or not at all."""
    assert set(control("GET", "settings")) == set(changeable_settings())
    changed = control("POST", "settings", {"duplicates": 0.5, "retry_waits": [0.1, 0.2], "refreshes_per_hour": 60})
    assert (changed["duplicates"], changed["retry_waits"], changed["refreshes_per_hour"]) == (0.5, [0.1, 0.2], 60)
    control("POST", "settings", {"duplicates": 0, "read_timeout": "x"}, status=400)
    assert control("GET", "settings")["duplicates"] == 0.5


def test_description_has_every_call(simulator: Running) -> None:
    """The description that the page shows has every call."""
    manual = http_api.__doc__ or ""
    rules = {str(rule) for rule in simulator.app.url_map.iter_rules() if rule.endpoint.startswith("control.")}
    assert len(rules) > 12
    assert [rule for rule in rules if rule.split("<")[0].rstrip("/") not in manual] == []


def test_credentials_come_from_the_environment() -> None:
    """Variables are used under both names; the defaults of the others are returned."""
    config, defaults = from_environment(
        {"TS_PAT_NAME": "mine", "TABLEAU_PAT_SECRET": "s3cret", "TABLEAU_SITENAME": "", "SLACK_TOKEN": ""}
    )
    assert (config.pat_name, config.pat_secret, config.content_url) == ("mine", "s3cret", "")
    assert defaults["SLACK_TOKEN"] == Config().slack_token
    assert not {"TABLEAU_PAT_NAME", "TABLEAU_PAT_SECRET", "TABLEAU_SITENAME"} & set(defaults)


def test_secret_can_come_from_a_file(tmp_path: Path) -> None:
    """NAME_FILE names a file with the value."""
    (tmp_path / "token").write_text("xoxb-file\n")
    config, _ = from_environment({"SLACK_TOKEN_FILE": str(tmp_path / "token"), "SIMULATOR_RETRY_WAITS": "1,2"})
    assert (config.slack_token, config.retry_waits) == ("xoxb-file", (1.0, 2.0))


def test_environment_for_a_server_has_all_addresses() -> None:
    """A server gets all variables, with the addresses of the three vendors."""
    variables = Config().environment("http://127.0.0.1:8100/")
    assert variables["TABLEAU_DOMAIN"] == "http://127.0.0.1:8100"
    assert variables["SLACK_API_URL"] == "http://127.0.0.1:8100/slack/api/"
    assert variables["TWILIO_API_URL"] == "http://127.0.0.1:8100/twilio"
    assert all(isinstance(value, str) for value in variables.values())


def test_config_shows_no_secret() -> None:
    """The representation contains no secret, because it may be logged."""
    config = Config(pat_secret="hidden-pat", slack_token="hidden-slack", twilio_auth_token="hidden-twilio")
    assert "hidden" not in repr(config)


def test_setting_is_parsed_from_text_and_json() -> None:
    """A setting has the same value from a variable and from JSON."""
    assert parse_setting("retry_waits", "1,2") == parse_setting("retry_waits", [1, 2]) == (1.0, 2.0)
    assert parse_setting("payload_text", "false") is False
    assert parse_setting("disable_after", "") is None
    with pytest.raises(ValueError, match="Unknown setting"):
        parse_setting("clock", "x")


def test_simulator_can_be_served_by_flask(tmp_path: Path) -> None:
    """`flask --app simulator run` prints the default credentials and serves; it says what Flask reads from .env."""
    (tmp_path / ".env").write_text("export TWILIO_TO=+15550199\nSLACK_CHANNEL=\n", encoding="utf-8")
    root = Path(http_api.__file__).parents[2]
    ours = {"SLACK_TOKEN": "xoxb-given", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(root)}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | ours
    command = [sys.executable, "-m", "flask", "--app", "simulator", "run", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        output: list[str] = []
        for line in process.stdout or ():
            output.append(line)
            if "Running on" in line:
                address = line.split()[-1]
                break
        assert requests.get(f"{address}/simulator/healthz", timeout=30).json() == {"status": "ok"}
        process.terminate()
    assert any("TABLEAU_PAT_NAME=webhooks" in line for line in output)
    assert not any("SLACK_TOKEN=" in line for line in output)
    assert [line for line in output if "warning: Flask has read" in line and "(TWILIO_TO)" in line]


def test_module_serves_and_prints_the_settings_of_a_server(tmp_path: Path) -> None:
    """`python -m simulator` prints all settings of a server in the format of a .env file, and does not read one."""
    root = Path(http_api.__file__).parents[2]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = {"SIMULATOR_PORT": str(port), "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(root)}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | ours
    (tmp_path / ".env").write_text("TABLEAU_PAT_SECRET=secret-of-a-real-site\n", encoding="utf-8")
    output: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "simulator"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            output.append(line.strip())
            if "Running on" in line:
                break
        process.terminate()
    expected = Config().environment(f"http://127.0.0.1:{port}")
    assert {f"{name}={value}" for name, value in expected.items()} <= set(output)
    unread = f"warning: the simulator does not read {tmp_path / '.env'}, which sets TABLEAU_PAT_SECRET."
    assert [line for line in output if line.startswith(unread)]


def test_number_of_deleted_content_is_not_used_again(control: Any, simulator: Running) -> None:
    """A link in an old message must not lead to another workbook."""
    numbers = []
    for name in ("One", "Two"):
        control("POST", "events", {"event_type": "WorkbookCreated", "name": name})
        numbers += [book.number for book in simulator.world.home.workbooks.values() if book.name == name]
        control("POST", "events", {"event_type": "WorkbookDeleted", "name": name})
    assert numbers[1] == numbers[0] + 1


def test_timer_can_be_cleared_and_stopped() -> None:
    """Calls that are not due can be dropped; a stopped timer accepts none."""
    timer, done = Timer(2), list[int]()
    timer.after(60, lambda: done.append(1))
    timer.after(0, lambda: 1 / 0)
    timer.after(0, lambda: done.append(2))
    timer.clear()
    timer.after(0, lambda: done.append(3))
    assert timer.settle(60)
    timer.close()
    timer.after(0, lambda: done.append(4))
    assert done[-1] == 3
    assert 1 not in done
