"""Text from outside cannot look like a line of the log, or change how a terminal shows the log."""

from __future__ import annotations

import logging
import re
import socket
from pathlib import Path

import pytest

from tests.support.server import serving, wait_for
from webhooks.cli.support.exit_codes import Failure
from webhooks.observability import logs

FORGED = "Sales\n2026-01-31 09:30:00 ERROR   webhooks: forged\r\x1b[2J\x1b[31m\u202egnp.exe\u2028next\x85\x00"
# The characters that end a line for some program, move a cursor, or reverse the reading direction.
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def formatted(message: str, *values: object, failure: BaseException | None = None) -> str:
    formatter = logs.configuration(debug=False, secrets=["the-secret"])["formatters"]["line"]["()"]()
    trace = (type(failure), failure, failure.__traceback__) if failure else None
    line: str = formatter.format(logging.LogRecord("any", logging.INFO, "file.py", 1, message, values, trace))
    return line


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause  # noqa: TRY301 - for its traceback
    except BaseException as caught:  # noqa: BLE001 - the test's own
        return caught


def test_message_is_one_line_of_harmless_characters() -> None:
    """Line ends, escape sequences and direction marks are shown by their numbers; letters of all scripts stay."""
    line = formatted("Event of type %s Straße 売上", FORGED)
    assert "\n" not in line
    assert not HARMFUL.search(line)
    assert "Sales\\n2026-01-31 09:30:00 ERROR   webhooks: forged\\r\\x1b[2J" in line
    assert line.endswith("Straße 売上")


@pytest.mark.parametrize(
    "error",
    [
        raised(ValueError(FORGED)),
        raised(RuntimeError("outer"), raised(KeyError(FORGED))),
        raised(ExceptionGroup(FORGED, [ValueError(FORGED)])),
        raised(SyntaxError(FORGED, (FORGED, 1, 1, FORGED))),
        SystemExit(FORGED),
    ],
)
def test_texts_of_exceptions_are_one_line_each(error: BaseException) -> None:
    """A traceback has lines of its own, and none of them can be written by the sender of an event."""
    error.add_note(FORGED)
    lines = formatted("failed", failure=error).split("\n")
    assert not any(HARMFUL.search(line) for line in lines)
    assert not any(line.startswith("2026") for line in lines[1:])
    assert any("forged" in line for line in lines[1:])


def test_traceback_is_complete() -> None:
    """It shows the frames, the cause and the exception, without secrets."""
    text = formatted("failed", failure=raised(RuntimeError("outer"), raised(KeyError("the-secret"))))
    assert text.count("Traceback (most recent call last):") == 2
    assert text.index("KeyError: '***'") < text.index(logs.CAUSED) < text.index("RuntimeError: outer")
    assert f'File "{__file__}"' in text


def test_chain_of_exceptions_that_leads_to_itself_ends() -> None:
    """A context may be its own context; the formatter does not follow it forever."""
    first, second = raised(ValueError("first")), raised(ValueError("second"))
    first.__context__, second.__context__ = second, first
    assert "ValueError: first" in formatted("failed", failure=first)


def test_long_message_is_cut() -> None:
    """A line has a limit, whatever is in it."""
    assert len(formatted("%s", "x" * 10_000_000)) < logs.MAX_LENGTH + 100


def test_thread_that_ends_with_an_exception_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default Python prints the exception unformatted; here it passes through the formatter of the log."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr("threading.excepthook", logs.threading.__excepthook__)
    try:
        logs.configure(debug=False, secrets=[])
        assert logs.threading.excepthook is not logs.threading.__excepthook__
    finally:
        root.handlers[:], root.level = handlers, level


def test_errors_of_commands_are_harmless() -> None:
    """A sentence that quotes text from outside cannot clear the terminal; the lines of a list stay lines."""
    assert Failure("rules.toml:\n  rule 1: \x1b[2J").format_message() == "rules.toml:\n  rule 1: \\x1b[2J"


def test_no_line_of_the_server_is_forged(tmp_path: Path) -> None:
    """Events and requests that gunicorn refuses leave harmless lines in the log of the real server."""
    body = b'{"event_type": "Odd\\n2026 forged\\u001b[2J\\u202e", "resource_name": "\\r\\n2026 forged"}'
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "R"\non = "*"\nnotify = "slack:#bi"\n', encoding="utf-8")
    simulated = {
        "TABLEAU_DOMAIN": "http://127.0.0.1:9",
        "TABLEAU_PAT_NAME": "a",
        "TABLEAU_PAT_SECRET": "b",
        "RULES_FILE": str(rules),
    }
    with serving(tmp_path, simulated) as server:
        host, port = server.url.removeprefix("http://").split(":")
        head = f"POST /webhook/way-token HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        for request in (
            head + body,
            b"GET /\x1b[2J\xe2\x80\xae HT\x0bTP/9 forged\r\n\r\n",
            b"GET / HTTP/1.1\r\n\x1b[2J forged\r\n\r\n",
        ):
            with socket.create_connection((host, int(port)), timeout=10) as client:
                client.sendall(request)
                client.recv(4096)
        wait_for(lambda: server.log.read_text(encoding="utf-8").count("forged") >= 2)
    lines = server.log.read_text(encoding="utf-8").split("\n")
    assert [line for line in lines if HARMFUL.search(line)] == []
    assert [line for line in lines if line.startswith("2026 forged")] == []
