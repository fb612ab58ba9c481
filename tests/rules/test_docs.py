"""The documentation of the rules file is correct."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy import rules_page
from webhooks.event_types import EVENT_TYPES
from webhooks.messages.templates import FIELDS, FILTERS, PLACEHOLDERS
from webhooks.registry import registry
from webhooks.rules import RulesError, RulesSource, parse
from webhooks.rules.conditions import ALIASES, PAYLOAD_FIELDS, TABLEAU_FIELDS
from webhooks.rules.file import SECTIONS
from webhooks.rules.rule_table import RuleModel

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def included(text: str) -> RulesSource:
    """Return the text as if a file that the page names were beside it."""
    return RulesSource(text, {"rules.d/a.toml": ""})


@pytest.mark.parametrize("example", EXAMPLES, ids=[text.splitlines()[1] for text in EXAMPLES])
def test_each_example_is_valid_without_warnings(example: str) -> None:
    """Every example can be copied unchanged; one without a rule is valid beside a rule."""
    registry.load()
    rule = "" if "[[rule]]" in example else EXAMPLES[0]
    assert parse(included(example + rule), registry.actions).warnings == ()


def test_all_examples_together_are_valid() -> None:
    """All examples in one file are a valid file."""
    registry.load()
    # A key without a section stands above all sections.
    ordered = sorted(EXAMPLES, key=lambda example: example.startswith("["))
    parsed = parse(included("\n".join(ordered)), registry.actions)
    assert len(parsed.rules) == len(re.findall(r"(?m)^\[\[rule\]\]", PAGE))


def test_every_word_of_the_rules_file_is_documented() -> None:
    """Keys, actions with their parameters, conditions, event types and placeholders are all on the page."""
    registry.load()
    params = [name for model in registry.actions.values() for name in list(model.model_fields)]
    words = [
        *SECTIONS,
        *RuleModel.model_fields,
        *PAYLOAD_FIELDS,
        *TABLEAU_FIELDS,
        *ALIASES,
        *EVENT_TYPES,
        *registry.actions,
    ]
    missing = [word for word in [*words, *params] if f"`{word}`" not in PAGE and f"[{word}]" not in PAGE]
    missing += [f"{kind}.{name}" for kind in FIELDS for name in FIELDS[kind] if f"`{kind}.{name}`" not in PAGE]
    missing += [name for name in FILTERS if f"`{name}`" not in PAGE]
    missing += [word for word in PLACEHOLDERS if f"`{{{word}}}`" not in PAGE]
    assert missing == []


def test_documented_errors_are_those_that_are_printed() -> None:
    """The errors on the page are exactly those of such a file."""
    registry.load()
    documented = re.search(r"^rules.toml has 3 errors:\n(?:  .*\n)+", PAGE, re.MULTILINE)
    assert documented
    first = '[[rule]]\nname = "Finance refresh failures"\non = "*"\nwhere.projekt = "F"\nnotify = "slack"\n'
    second = '[[rule]]\nname = "Published"\non = "WorkbookCreatd"\nnotfy = "slack"\n'
    with pytest.raises(RulesError) as caught:
        parse("\n" * 13 + first + "\n" + second, registry.actions)
    assert str(caught.value) == documented[0].strip()


def test_page_of_keys_is_current() -> None:
    """The reference of all keys is that of the models; if not, run `python -m deploy.rules_page`."""
    assert rules_page.PAGE.read_text(encoding="utf-8") == rules_page.page()


def test_keys_in_the_reference_are_valid() -> None:
    """Each value that the reference shows for a key is accepted, alone or in a list, and a wrong one is not."""
    registry.load()
    models = [*(model for model, _ in rules_page.SECTIONS.values()), *registry.actions.values()]
    given = {"name": "Sales", "on": "*", "at": "08:00", "notify": "slack:#bi", "role": "viewer", "groups": "BI team"}
    given |= {"value": "stale", "flow": "Clean", "task": "e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e", "tags": "stale"}
    checked = 0
    for model in models:
        table = {key: value for key, value in given.items() if key in model.model_fields}
        for key, field in model.model_fields.items():
            for example in rules_page.examples(field):
                model.model_validate({**table, key: example})
                checked += 1
            if key in {"enabled", "each", "dry_run", "per_day", "role", "at", "days", "repeat"} and field.description:
                with pytest.raises(ValidationError):
                    model.model_validate({**table, key: "never"})
    assert checked > 20
