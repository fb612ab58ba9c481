"""Test the templates of rules: what they know, what they refuse, and how long and large they may be."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.handler_context import MakeEvent
from webhooks.messages.event_message import event_message
from webhooks.messages.templates import (
    FIELDS,
    MAX_OUTPUT,
    PLACEHOLDERS,
    TemplateFailed,
    check_template,
    is_jinja,
    render,
)

VALUES = {
    **dict.fromkeys(PLACEHOLDERS, ""),
    **FIELDS,
    "name": "Sales",
    "resource": {**FIELDS["resource"], "name": "Sales", "tags": ("gold", "new")},
    "incident": {**FIELDS["incident"], "failures": 3},
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{name} failed", "Sales failed"),
        ("{{literal}} {name}", "{literal} Sales"),
        ("{{ name }} failed", "Sales failed"),
        ("{{ name }}{{ reason }}", "Sales"),
        ("{% if incident.failures > 2 %}again{% else %}first{% endif %}", "again"),
        ("{{ 'again' if incident.failures > 2 else 'first' }}", "again"),
        ("{% for tag in resource.tags %}{{ loop.index }} {{ tag }} {% endfor %}", "1 gold 2 new"),
        ("{{ resource.tags }}", "gold, new"),
        ("{{ resource.tags | join('/') | upper }}", "GOLD/NEW"),
        ("{{ reason or 'unknown' }}", "unknown"),
        ("{{ incident.failures + 1 }}", "4"),
        ("{# a comment #}{{ name[:2] }}", "Sa"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ],
)
def test_values_are_filled_in(text: str, shown: str) -> None:
    """Placeholders in single braces and templates of Jinja2 are both understood."""
    assert render(check_template(text), VALUES) == shown


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{{ nmae }}", "unknown name nmae; did you mean name?"),
        ("{{ incident.falures }}", "incident has no falures; did you mean failures?"),
        ("{% if false %}{{ run.reasn }}{% endif %}", "run has no reasn; did you mean reason?"),
        ("{{ name", "line 1 of the template: unexpected end of template"),
        ("{% if name %}", "line 1 of the template: Unexpected end of template"),
        ("{{ name }} of {project}", "{{ name }} is for texts without placeholders in single braces"),
        ("{{ name.upper() }}", "a template cannot contain calls"),
        ("{{ name * 9 }}", "a template cannot contain *"),
        ("{{ 9 ** 9 }}", "a template cannot contain **"),
        ("{{ '%999999999d' % 1 }}", "a template cannot contain %"),
        ("{% set x = name %}{{ x }}", "a template cannot contain set"),
        ("{% include 'rules.toml' %}", "a template cannot contain include"),
        ("{% import 'os' as os %}", "a template cannot contain import"),
        ("{% macro m() %}{% endmacro %}", "a template cannot contain"),
        ("{{ name | pprint }}", "the filter pprint is not available"),
        ("{{ name | attr('__class__') }}", "the filter attr is not available"),
        ("{{ name.__class__.__mro__ }}", "unsafe"),
        ("{{ ''['__class__'] }}", "unsafe"),
        ("{{ self }}", "unknown name self"),
        ("{{ config }}", "unknown name config"),
        ("{% for a in name %}{% for b in name %}{% for c in name %}x{% endfor %}{% endfor %}{% endfor %}", "2 loops"),
        ("x" * 4999 + "{{ name }}", "a template has at most 5000"),
    ],
)
def test_what_is_not_allowed_is_refused_when_the_rules_are_read(text: str, error: str) -> None:
    """Each with the reason; nothing can be called, assigned or loaded."""
    with pytest.raises(ValueError, match=re.escape(error)):
        check_template(text)


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in name %}{% for b in name %}{{ name }}{% endfor %}{% endfor %}",
        "{{ name | replace('a', name) | replace('a', name) | replace('a', name) }}",
        "{{ name ~ name }}",
        "{{ (name | list) | join(name) }}",
    ],
)
def test_output_and_time_are_limited(text: str) -> None:
    """A template that is valid can still make too much of a long value; it fails within a second."""
    started = time.thread_time()
    with pytest.raises(TemplateFailed, match=f"more than {MAX_OUTPUT} characters"):
        render(check_template(text), {**VALUES, "name": "a" * 9000})
    assert time.thread_time() - started < 2


def test_first_tag_may_be_absent() -> None:
    """A template that only some content can fill is valid; for other content the standard text is used."""
    text = check_template("Tag: {{ resource.tags | first }}")
    assert render(text, {"resource": {"tags": ("gold", "old")}}) == "Tag: gold"
    with pytest.raises(TemplateFailed):
        render(text, {"resource": {"tags": ()}})


def test_values_are_not_templates() -> None:
    """A hostile name is shown as it is, whatever braces it has."""
    hostile = "{{ config }}{% for x in y %}{name}<script>"
    for text in ("{name}", "{{ name }}"):
        assert render(check_template(text), {**VALUES, "name": hostile}) == hostile


def test_template_that_fails_is_replaced_by_the_standard_text(event: MakeEvent) -> None:
    """The message arrives in any case, and says what is wrong with the rule."""
    template = check_template("{{ 'x' if resource.luid < 'y' else 1 + resource.name }}")
    assert is_jinja(template)
    message = event_message(event(resource_luid="z"), title=template, text=template)
    assert message.title == "Workbook created: Sales"
    assert message.text.startswith("The rule's title could not be used: unsupported operand")
    assert "The rule's text could not be used" in message.text
