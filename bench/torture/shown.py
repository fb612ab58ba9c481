"""Judge what Slack shows about incidents: one place for each, none missing, nothing posted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from notifiers.slack.client import client_id_of


@dataclass(frozen=True, slots=True)
class Shown:
    """The names that no message shows, those that several show, those shown as recovered, and repeated posts."""

    lost: frozenset[str]
    doubled: frozenset[str]
    recovered: frozenset[str]
    repeated: tuple[str, ...]


def judge_messages(messages: Iterable[Mapping[str, Any]], names: Collection[str]) -> Shown:
    """Compare the messages of one channel, as the simulator lists them, with the names of what has failed.

    A name must not be part of another one. Of several incidents that share a message, each has a line; the first ones
    of a storm have messages of their own, too.
    """
    listed = list(messages)
    top_level = [one["text"] for one in listed if not one["thread_ts"]]
    own, lines_of = Counter[str](), Counter[str]()
    for text in top_level:
        title = text.partition("\n")[0]
        for name in names:
            (own if name in title else lines_of)[name] += name in text
    lines = [line for text in top_level for line in text.splitlines() if "recovered" in line.lower()]
    ids = Counter(filter(None, (client_id_of(one) for one in listed)))
    return Shown(
        lost=frozenset(name for name in names if not own[name] + lines_of[name]),
        doubled=frozenset(name for name in names if own[name] > 1 or lines_of[name] > 1),
        recovered=frozenset(name for name in names if any(name in line for line in lines)),
        repeated=tuple(sorted(name for name, number in ids.items() if number > 1)),
    )
