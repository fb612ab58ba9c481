"""Logging: no secret is shown wherever it is in a line, and no client floods the log."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from gunicorn.workers import gthread

from notifiers.slack.interactions import Press
from webhooks.inbound.slack_presses import store_press
from webhooks.messages.group_buttons import ACKNOWLEDGE_ALL, GroupTarget
from webhooks.observability import logs

SECRETS = ["token/with+signs", "short", "short-and-long", "abc"]


def formatted(message: str, *, failure: Exception | None = None, created: float = 0.0) -> str:
    """Return the line of a log record."""
    formatter = logs.configuration(debug=True, secrets=SECRETS)["formatters"]["line"]["()"]()
    trace = None
    if failure is not None:
        try:
            raise failure
        except type(failure):
            trace = sys.exc_info()
    record = logging.LogRecord("any", logging.INFO, "file.py", 1, message, None, trace)
    record.created = created
    line: str = formatter.format(record)
    return line


def test_secrets_are_masked_in_every_form() -> None:
    """As they are, and as parts of a URL."""
    forms = ["token/with+signs", quote("token/with+signs"), quote("token/with+signs", safe="")]
    for form in forms:
        assert formatted(f"POST /webhook/{form}?x").endswith("POST /webhook/***?x")


def test_longer_secret_is_masked_whole() -> None:
    """One secret may be the beginning of another."""
    assert formatted("short-and-long!").endswith("***!")


def test_tracebacks_are_masked() -> None:
    """The text of an exception may contain a secret."""
    line = formatted("oh", failure=ValueError("bad short-and-long"))
    assert "ValueError: bad ***" in line
    assert "short" not in line


def test_short_texts_are_not_masked() -> None:
    """Masking three letters would hide half of the log."""
    assert formatted("abc").endswith("abc")


def test_without_secrets_nothing_changes() -> None:
    """An installation without secrets is logged as it is."""
    assert logs.redact("plain", []) == "plain"


def test_times_are_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The times of log lines do not depend on the machine's time zone."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert formatted("x", created=1_769_851_800.0).startswith("2026-01-31 09:30:00 ")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("error", "stalled"), [(BlockingIOError(11, "x"), True), (OSError(5, "x"), False)])
def test_stalled_client_is_one_line(capsys: pytest.CaptureFixture[str], error: OSError, stalled: bool) -> None:
    """A client that connects and sends nothing must not fill the log; a real failure keeps its traceback."""
    root, gunicorns_logger = logging.getLogger(), logging.getLogger("gunicorn.error")
    before, filters = (root.handlers[:], root.level), gunicorns_logger.filters[:]
    logs.configure(debug=False, secrets=[])
    try:
        raise error
    except OSError:
        gunicorns_logger.exception(logs.SOCKET_ERROR)
    finally:
        (root.handlers[:], root.level), gunicorns_logger.filters[:] = before, filters
    lines = capsys.readouterr().err.splitlines()
    assert ("Traceback" in "".join(lines)) is not stalled
    if stalled:
        (line,) = lines
        assert " INFO " in line
        assert "stalled" in line


def test_gunicorn_logs_this_message() -> None:
    """The filter recognizes the message by its text."""
    source = Path(gthread.__file__).read_text(encoding="utf-8")
    assert f'self.log.exception("{logs.SOCKET_ERROR}")' in source


def test_limiter_counts_what_it_suppresses() -> None:
    """Each kind has its own limit; the first line of the next period has the number of suppressed ones."""
    now = 0.0
    limiter = logs.LogLimiter(burst=2, period=60, clock=lambda: now)
    assert [limiter.admit("401") for _ in range(5)] == [0, 0, None, None, None]
    assert limiter.admit("400") == 0
    now = 59.9
    assert limiter.admit("401") is None
    now = 60.0
    assert [limiter.admit("401") for _ in range(3)] == [4, 0, None]


def as_json(message: str, *arguments: object, failure: bool = False) -> dict[str, object]:
    """Return the object of a log record."""
    formatter = logs.configuration(debug=False, secrets=SECRETS, as_json=True)["formatters"]["line"]["()"]()
    error = ValueError("bad short-and-long")
    trace = (ValueError, error, None) if failure else None
    line = formatter.format(logging.LogRecord("any", logging.WARNING, "file.py", 1, message, arguments, trace))
    assert "\n" not in line
    found: dict[str, object] = json.loads(line)
    return found


def test_json_lines_have_the_ids_that_the_message_names() -> None:
    """The form does not matter; other numbers are not ids."""
    line = as_json("Job %s (R/notify) for event %s done", 7, 41)
    assert (line["event"], line["job"], line["level"], line["logger"]) == (41, 7, "warning", "any")
    assert as_json("Duplicate received: event=41")["event"] == 41
    assert as_json("Message edited: incident=3")["incident"] == 3
    assert not {"event", "job"} & as_json("7 events, jobs=3, event x").keys()


def test_json_lines_have_the_ids_of_the_running_job() -> None:
    """Also those of libraries that know nothing of it; other threads are not affected."""
    found = []
    with logs.log_ids(event=41, job=7):
        with logs.log_ids(incident=3, job=None):
            inner = as_json("Retrying")
        outer = as_json("Retrying")
        thread = threading.Thread(target=lambda: found.append(as_json("Elsewhere")))
        thread.start()
        thread.join()
    assert (inner["event"], inner["job"], inner["incident"]) == (41, 7, 3)
    assert (outer["event"], "incident" in outer) == (41, False)
    assert not {"event", "job"} & found[0].keys()
    assert "event" not in as_json("Later")


def test_readable_lines_have_the_same_ids() -> None:
    """Those that the message does not name are at its end, also the ones that became known meanwhile."""
    with logs.log_ids(event=41, job=7):
        assert formatted("Job 7 for event 41 done").endswith(": Job 7 for event 41 done")
        assert formatted("Retrying").endswith(": Retrying event=41 job=7")
        with logs.log_ids(trace_id="f" * 32):
            logs.add_log_ids(incident=3, group=None)
            assert formatted("Job 7 done").endswith(f": Job 7 done event=41 trace_id={'f' * 32} incident=3")
        logs.add_log_ids(incident=4)
        assert formatted("x").endswith(": x event=41 job=7 incident=4")
    logs.add_log_ids(incident=5)
    assert formatted("Later").endswith(": Later")


def test_names_from_outside_are_no_ids() -> None:
    """A name that looks like an id is none; of several ids, the running job's counts, then the first one."""
    line = as_json("Job %s for event %s WorkbookCreated %r done", 7, 41, "event 9 incident 5")
    assert (line["event"], "incident" in line) == (41, False)
    assert as_json("event 41, then event 42")["event"] == 41
    with logs.log_ids(event=40):
        assert as_json("event 41")["event"] == 40


def test_json_lines_mask_secrets_and_cannot_be_forged() -> None:
    """A traceback is one text; line ends from outside are not the end of an object."""
    line = as_json('forged\n{"level": "info"}', failure=True)
    assert line["message"] != 'forged\n{"level": "info"}'
    assert "ValueError: bad ***" in str(line["traceback"])
    assert "short" not in str(line)


def test_button_of_a_group_is_not_logged_as_an_incident(caplog: pytest.LogCaptureFixture) -> None:
    """The numbers of groups and of incidents are different things."""
    caplog.set_level(logging.INFO)
    press = Press(
        key="k",
        action=ACKNOWLEDGE_ALL,
        value=str(GroupTarget(7)),
        user="U1",
        user_name="Ann",
        team="T1",
        is_member=True,
        channel="C1",
        message="1.0",
    )
    store_press(lambda *_: "", press)
    assert caplog.messages == [f"Button pressed: action={ACKNOWLEDGE_ALL} group=7 user=U1: act stored"]
    assert "incident" not in as_json(caplog.messages[0])


def test_prints_of_a_server_are_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that a handler prints is in the file at once, not when the server ends."""
    file = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(file))
    logs.show_prints_at_once()
    print("found")
    assert file.getvalue() == b"found\n"
