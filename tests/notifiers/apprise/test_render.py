"""The text for services of Apprise: no mention and no link from outside, whatever the service reads."""

from __future__ import annotations

import re

import pytest

from notifiers import Link, Mention, Message, Table
from notifiers.apprise.render import render

HOSTILE = (
    "[click](http://evil.example) ![x](http://evil.example/x.png) [a][b] <http://evil.example|click> @here <!channel>"
)
# A link with a text of its own, a picture, and what alerts people: in Markdown, and in the marks of Slack and Google.
LIVE = re.compile(r"(?<!\\)\](?=[(\[])|(?<!\\)<(?=[!@#&/\w])|(?<![\w\\])@(?=[\w*])")
SCHEMES = [
    "workflows",
    "zulip",
    "gchat",
    "rocket",
    "rockets",
    "webex",
    "matrix",
    "twist",
    "slack",
    "mmost",
    "discord",
    "tgram",
]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("markdown", [True, False])
@pytest.mark.parametrize("separate_title", [True, False])
def test_no_link_and_no_mention_from_outside_is_live(scheme: str, markdown: bool, separate_title: bool) -> None:
    """Also where neither Apprise nor a backslash escapes: words stay readable, and addresses stay visible."""
    table = Table((HOSTILE,), ((HOSTILE,),) * 21, link=Link("https://t.example/all_rows_", HOSTILE))
    message = Message(
        HOSTILE,
        HOSTILE,
        ((HOSTILE, HOSTILE),),
        Link("https://t.example/x_y_", HOSTILE),
        footer=HOSTILE,
        status=HOSTILE,
        table=table,
        mentions=(Mention("here"), Mention("name", HOSTILE)),
    )
    title, body = render(message, scheme, markdown=markdown, separate_title=separate_title)
    assert LIVE.findall(title) == []
    assert LIVE.findall(body) == []
    assert "evil.example" in title
    assert ": https://t.example/x_y_\n" in body
    assert ": https://t.example/all_rows_\n" in body
