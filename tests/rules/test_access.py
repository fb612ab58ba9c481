"""The table `[access]`: who may start refreshes."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from webhooks.rules import RulesError, parse
from webhooks.rules.access import NO_OPERATORS

Actions = dict[str, type[BaseModel]]


def test_operators_are_addresses_with_wildcards(actions: Actions) -> None:
    """Case does not matter; another domain, a part of an address and an unknown address are no operators."""
    access = parse('[access]\noperators = ["ann@example.org", "*@bi.example.org"]', actions).access
    assert all(map(access.is_operator, ("ann@example.org", "Ann@Example.org", "ben@bi.example.org")))
    others = ("", "ben@example.org", "ann@example.org.evil.example", "xann@example.org", "ben@bi.example.org\n@x")
    assert not any(map(access.is_operator, others))


def test_one_operator_needs_no_list(actions: Actions) -> None:
    """A text is a list of one."""
    assert parse('[access]\noperators = "ann@example.org"', actions).access.operators == ("ann@example.org",)


def test_without_the_table_there_are_no_operators(actions: Actions) -> None:
    """No address, and not the absence of one, is an operator by default."""
    assert parse("", actions).access == NO_OPERATORS
    assert not NO_OPERATORS.is_operator("ann@example.org")
    assert not NO_OPERATORS.is_operator("")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("operators = ['Ann']", "'Ann' is not an e-mail address"),
        ("operators = ['*']", "'*' is not an e-mail address"),
        ("operators = ['!ben@example.org']", "'!ben@example.org' is not an e-mail address"),
        ("operators = [1]", "operators"),
        ("operator = ['ann@example.org']", "operator is not known here; did you mean operators?"),
    ],
)
def test_mistakes_are_named(actions: Actions, text: str, words: str) -> None:
    """A name, a pattern for everyone, an exclusion and a misspelt key are errors that say what to write."""
    with pytest.raises(RulesError, match=r"access") as error:
        parse(f"[access]\n{text}", actions)
    assert words in str(error.value)


def test_access_is_a_table(actions: Actions) -> None:
    """Anything but a table is an error of the file."""
    with pytest.raises(RulesError, match="access"):
        parse('access = "ann@example.org"', actions)
    with pytest.raises(RulesError, match="access"):
        parse('[[access]]\noperators = "ann@example.org"', actions)


def test_phones_have_names(actions: Actions) -> None:
    """A number is recognized however it is written, and in another channel; others have no name."""
    access = parse('[access]\nphones = { "+1 (555) 01-00" = " Ann Okafor " }', actions).access
    assert access.name_of_number("+15550100") == access.name_of_number("whatsapp:+15550100") == "Ann Okafor"
    assert access.name_of_number("+15550111") == ""


@pytest.mark.parametrize(
    "text", ['{ "5550100" = "Ann" }', '{ "+15550100" = "" }', '{ "+15550100" = "Ann\\nBen" }', "[]"]
)
def test_invalid_phones_are_rejected(actions: Actions, text: str) -> None:
    """A number needs its country code, and a name is one line."""
    with pytest.raises(RulesError, match=r"phones"):
        parse(f"[access]\nphones = {text}", actions)


def test_mistakes_in_roles_are_named_with_their_lines(actions: Actions) -> None:
    """An unknown role, an entry for no one, a name for an address, an exclusion and an unknown key are errors."""
    entries = ('role = "root"\ngroups = "x"', 'role = "viewer"', 'role = "viewer"\npeople = "ann"')
    entries += ('role = "viewer"\ngroups = "!x"', 'role = "viewer"\ngroups = "x"\nprojets = "y"')
    text = "\n".join(f"[[access.roles]]\n{entry}" for entry in entries)
    with pytest.raises(RulesError) as error:
        parse(text, actions)
    shown = str(error.value)
    for words in (
        "(line 2): roles.role: \"root\" should be 'viewer', 'operator' or 'admin'",
        "(line 4): roles: has neither groups nor people",
        "(line 8): roles.people: 'ann' is not an e-mail address",
        "(line 11): roles.groups: '!x' is not a name with * and ?",
        "(line 15): roles.projets is not known here",
    ):
        assert words in shown, shown
