"""No text of the greatest size that an event can have makes a function slow, whatever its characters are."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import pytest

import notifiers
import tableau_rest
import webhooks
from notifiers import Button, Link, Message, Table
from notifiers.apprise.render import render as render_for_apprise
from notifiers.console.render import render as render_for_console
from notifiers.message import plain_text
from notifiers.slack.render import blocks, fallback
from notifiers.text import clean, one_line, shorten
from notifiers.twilio.render import render as render_for_sms
from tableau_rest.protocol.redaction import redact as redact_for_tableau
from tableau_rest.protocol.responses import error, excerpt
from webhooks.cli.support import terminal
from webhooks.clock import parse_time
from webhooks.event import MAX_BYTES, Event, Malformed, Unprocessable, fingerprint, load, parse
from webhooks.event_types import event_type
from webhooks.job import Job, JobState
from webhooks.messages.dead_letter_message import dead_letter_message
from webhooks.messages.event_message import Details, as_text, event_message
from webhooks.messages.failure_reason import MAX_READ, failure_reason
from webhooks.patterns import matches
from webhooks.rules.conditions import EventFilter, Where
from webhooks.rules.matching import match_values
from webhooks.spelling import closest, hint
from webhooks.text import cut, escape_invisible, value_text

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
# Seconds of processor time. A function that is linear needs a tenth of it at most, a quadratic one many times as much.
LIMIT = 0.5
# Parts that are repeated until they fill 64 KiB: runs of one kind of character, and beginnings without an end.
PARTS = {
    "letters": "a",
    "capitals": "ABc",
    "digits": "1",
    "blanks": " ",
    "dashes": "-",
    "combining marks": "\u0301\u0316",
    "emoji": "\U0001f600",
    "ligatures": "\ufb03",
    "line ends": "\x1b\n",
    "separators": "\u2028",
    "markup": "&<>",
    "mentions": "@<!",
    "brackets": "[",
    "lists": "[],",
    "quotes": '"\\',
    "names": "A.",
    "passwords": "password=",
    "spaced passwords": "password  ",
    "open braces": "password={",
    "open statements": "{% ",
    "open comments": "{#",
    "open quotes": "password='",
    "headers": "authorization=bearer ",
    "addresses": "a://b:",
    "Oracle": ":thin:a/",
    "causes": "Caused by: ",
    "stack traces": "at a.b(",
    "tokens": "eyJaaaaaa.",
    "pages": "<script",
    "units": "in 10 s",
    "entries": ",a=b",
}
TEXTS = {name: "a" + (part * (MAX_BYTES // len(part.encode())))[: MAX_BYTES - 600] for name, part in PARTS.items()}


def an_event(text: str) -> Event:
    payload = {"event_type": text, "resource_name": text, "resource_luid": text, "created_at": text, "resource": [text]}
    return Event(text, payload, text.encode(), fingerprint(payload), id=1, received_at=NOW)


def a_job(text: str) -> Job:
    return Job(
        id=1,
        event=an_event(text),
        key="k",
        handler="notify",
        rule="R",
        params={},
        where={},
        state=JobState.DEAD,
        attempts=1,
        max_attempts=20,
        due_at=NOW,
        error=text,
    )


def a_message(text: str) -> Message:
    link = Link(f"https://x/{text}", text)
    table = Table((text, text), ((text, link),) * 3, link=link)
    buttons = (Button(text, "act"),)
    return Message(
        text, text, ((text, text),) * 3, link, footer=text, status=text, table=table, buttons=buttons, menu=(link, link)
    )


def match_many_rules(text: str) -> object:
    """A file of a hundred rules looks at one event."""
    event = an_event(text)
    names = ("resource_name", "resource_luid", "resource")
    found = EventFilter(("*",), Where(dict.fromkeys(names, ("!*a*b*c*d*e*f*", "!Sales ?"))))
    return [found.match(event) for _ in range(100)]


FUNCTIONS: dict[str, Callable[[str], object]] = {
    "parse as a name": lambda text: parse(json.dumps({"event_type": text, "resource_name": text[:100]}).encode()),
    "parse as a body": lambda text: parse(text.encode()),
    "parse as keys": lambda text: parse(json.dumps({text[n : n + 9] + str(n): 1 for n in range(5000)}).encode()),
    "load": lambda text: load(text[1:].encode()),
    "load a string": lambda text: load(b'"' + text.encode()),
    "load a number": lambda text: load(b"0." + b"1" * len(text)),
    "fingerprint": lambda text: fingerprint({"created_at": text, "resource_name": {text: [text]}}),
    "event_type": lambda text: event_type(text).headline,
    "parse_time": parse_time,
    "matches": lambda text: matches(("*Failed", "a*b*c*d*e*f*g*h", "!*x*y*z*"), [text, [text], {text: text}]),
    "match_values": lambda text: match_values("name", ("!*a*",), [text] * 50),
    "match of many rules": match_many_rules,
    "closest to": lambda text: closest(text, ["event_type", text]),
    "hint": lambda text: hint(text, ["event_type"]),
    "as_text": lambda text: as_text([text] * 100),
    "value_text": lambda text: value_text({text: [text]}, 1000),
    "cut": lambda text: cut(text, 100),
    "escape_invisible": escape_invisible,
    "failure_reason": failure_reason,
    "failure_reason of many lines": lambda text: failure_reason(
        "\n".join(text[n : n + 99] for n in range(0, 60000, 99))
    ),
    "event_message": lambda text: event_message(
        an_event(text), Details(None, text, text, text, (text,)), title="{name}"
    ),
    "dead_letter_message": lambda text: dead_letter_message([a_job(text)] * 20),
    "clean": clean,
    "one_line": one_line,
    "shorten": lambda text: shorten(text, 100),
    "plain_text": lambda text: plain_text(a_message(text)),
    "Slack": lambda text: (blocks(a_message(text)), fallback(a_message(text))),
    "SMS": lambda text: render_for_sms(a_message(text)),
    "Apprise": lambda text: render_for_apprise(a_message(text), "mmost", markdown=False, separate_title=True),
    "console": lambda text: render_for_console(a_message(text), NOW, terminal=True),
    "printable": terminal.printable,
    "shortened": terminal.shortened,
    "one_line of the terminal": terminal.one_line,
    "table": lambda text: terminal.table(["ID", "TYPE", "NAME"], [["1", text, text]] * 2, flexible=["NAME"], width=80),
    "styled_event_type": terminal.styled_event_type,
    "json_line": lambda text: terminal.json_line({"a": text}),
    "Tableau's redact": lambda text: redact_for_tableau(text[:2000], ["a" * 60, "password"]),
    "Tableau's excerpt": lambda text: excerpt(text.encode()),
    "Tableau's error": lambda text: error(
        429,
        {"Retry-After": text},
        json.dumps({"error": {"code": text, "summary": text, "detail": text}}).encode(),
        now=NOW,
    ),
}

# These read configuration, which is trusted.
CONFIGURATION = (
    "notifiers.apprise.config",
    "notifiers.slack.notifier",
    "webhooks.config.",
    "webhooks.rules.file",
    "webhooks.cli.",
)
# Patterns for which a longer text is cut first, with the number of characters that they get.
SHORT = {
    "webhooks.messages.failure_reason.SECRETS": MAX_READ,
    "tableau_rest.protocol.responses._SPAN": 2000,
    "tableau_rest.protocol.redaction._SHAPES": 2000,
}


def seconds(function: Callable[[str], object], text: str) -> float:
    started = time.process_time()
    with suppress(Malformed, Unprocessable):
        function(text)
    return time.process_time() - started


@pytest.mark.parametrize("name", FUNCTIONS)
def test_text_of_64_kib_is_processed_in_time(name: str) -> None:
    """No function that compares, shows, escapes or logs text from outside can be made slow by it."""
    taken = {kind: seconds(FUNCTIONS[name], text) for kind, text in TEXTS.items()}
    assert {kind: round(took, 2) for kind, took in taken.items() if took > LIMIT} == {}


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for package in (webhooks, notifiers, tableau_rest):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.startswith(CONFIGURATION) or ".migrations." in module.name or "__main__" in module.name:
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                for one in value if isinstance(value, tuple) else (value,):
                    if isinstance(one, re.Pattern) and isinstance(one.pattern, str):
                        yield f"{module.name}.{name}", one


def test_no_regular_expression_backtracks_without_end() -> None:
    """Every pattern of the source code is linear, or gets short texts only."""
    found = dict.fromkeys(patterns())
    assert len(found) > 20
    slow = {}
    for name, pattern in found:
        for kind, text in TEXTS.items():
            took = seconds(partial(pattern.sub, ""), text[: SHORT.get(name, MAX_BYTES)])
            if took > LIMIT:
                slow[f"{name} {kind}"] = round(took, 2)
    assert slow == {}
