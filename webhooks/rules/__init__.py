"""The rules file: its text becomes Rules, which decide the jobs of an event. Pure, apart from `load`."""

from webhooks.rules.errors import Diagnostic, RulesError
from webhooks.rules.file import load, parse, read_text
from webhooks.rules.rules import Rule, Rules

__all__ = ["Diagnostic", "Rule", "Rules", "RulesError", "load", "parse", "read_text"]
