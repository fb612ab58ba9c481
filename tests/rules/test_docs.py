"""What the manual says about rules is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from webhooks.event_types import EVENT_TYPES
from webhooks.messages.event_message import PLACEHOLDERS
from webhooks.registry import registry
from webhooks.rules import RulesError, parse
from webhooks.rules.conditions import ALIASES, PAYLOAD_FIELDS, TABLEAU_FIELDS
from webhooks.rules.file import Entry

MANUAL = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", MANUAL, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[text.splitlines()[1] for text in EXAMPLES])
def test_example_of_the_manual_reads_without_a_warning(example: str) -> None:
    """Every example can be copied as it stands; what is about no rule stands beside one."""
    registry.load()
    beside = "" if "[[rule]]" in example else EXAMPLES[0]
    assert parse(beside + example, registry.actions).warnings == ()


def test_examples_of_the_manual_work_together() -> None:
    """All examples in one file are a sound file."""
    registry.load()
    assert len(parse("\n".join(EXAMPLES), registry.actions).rules) == len(re.findall(r"(?m)^\[\[rule\]\]", MANUAL))


def test_manual_names_every_word_of_the_rules_file() -> None:
    """Keys, actions with their params, conditions, events and placeholders are all in the manual."""
    registry.load()
    params = [name for model in registry.actions.values() for name in list(model.model_fields)]
    words = [*Entry.model_fields, *PAYLOAD_FIELDS, *TABLEAU_FIELDS, *ALIASES, *EVENT_TYPES, *registry.actions]
    missing = [word for word in [*words, *params] if f"`{word}`" not in MANUAL]
    missing += [word for word in PLACEHOLDERS if f"`{{{word}}}`" not in MANUAL]
    assert missing == []


def test_refusal_in_the_manual_is_what_is_printed() -> None:
    """The faults that the manual shows are those that such a file gets."""
    registry.load()
    shown = re.search(r"^rules.toml has 3 errors:\n(?:  .*\n)+", MANUAL, re.MULTILINE)
    assert shown
    first = '[[rule]]\nname = "Finance refresh failures"\non = "*"\nwhere.projekt = "F"\nnotify = "slack"\n'
    second = '[[rule]]\nname = "Published"\non = "WorkbookCreatd"\nnotfy = "slack"\n'
    with pytest.raises(RulesError) as caught:
        parse("\n" * 13 + first + "\n" + second, registry.actions)
    assert str(caught.value) == shown[0].strip()
