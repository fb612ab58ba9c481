"""The rules file: its text becomes Rules, which decide the jobs of an event. Pure, apart from reading the file."""

from webhooks.rules.errors import Diagnostic, RulesError
from webhooks.rules.file import load, parse
from webhooks.rules.rule import Rule
from webhooks.rules.rules import Rules
from webhooks.rules.source import RulesSource, read_source

__all__ = ["Diagnostic", "Rule", "Rules", "RulesError", "RulesSource", "load", "parse", "read_source"]
