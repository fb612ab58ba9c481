"""Test the lines of the parts of a TOML document."""

from __future__ import annotations

import random
import tomllib

import pytest

from webhooks.rules.positions import find_lines

DOCUMENT = '''# 1
include = ["a", # [[rule]]
  "b"]
[dead_letters]
notify = 'sl"ack'

[[rule]]
name = "A # no \\" quote"
where.project = "F"
where.x."y z" = 3
notify = [
  "slack:#a",
  { to = "b", title = """
multi " ""
line""", n = 3 },
]
[rule.tag]
tags = ["x"]
[[rule]]
name = """a"""""
when = 1979-05-27 07:32:00 # comment
[[rule.notify]]
to = "q"
[[ rule . notify ]]
to = 'C:\\'
[a.b.c]
z=1
'''

LINES = {
    ("include",): 2,
    ("include", 1): 3,
    ("dead_letters", "notify"): 5,
    ("rule", 0): 7,
    ("rule", 0, "name"): 8,
    ("rule", 0, "where", "project"): 9,
    ("rule", 0, "where", "x", "y z"): 10,
    ("rule", 0, "notify", 0): 12,
    ("rule", 0, "notify", 1, "title"): 13,
    ("rule", 0, "notify", 1, "n"): 15,
    ("rule", 0, "tag", "tags", 0): 18,
    ("rule", 1): 19,
    ("rule", 1, "when"): 21,
    ("rule", 1, "notify", 0): 22,
    ("rule", 1, "notify", 1): 24,
    ("rule", 1, "notify", 1, "to"): 25,
    ("a", "b", "c", "z"): 27,
}


def test_every_part_has_its_line() -> None:
    """Strings, comments and nested tables of all forms do not mislead."""
    tomllib.loads(DOCUMENT)
    found = find_lines(DOCUMENT)
    assert {path: found.get(path) for path in LINES} == LINES
    assert find_lines(DOCUMENT.replace("\n", "\r\n")) == found


@pytest.mark.parametrize("seed", range(3))
def test_broken_documents_are_read_as_far_as_possible(seed: int) -> None:
    """If any part is missing, nothing is raised and nothing hangs."""
    choice = random.Random(seed)
    for _ in range(200):
        start, length = choice.randrange(len(DOCUMENT)), choice.randrange(1, 20)
        find_lines(DOCUMENT[:start] + DOCUMENT[start + length :])
        find_lines(DOCUMENT[:start])
