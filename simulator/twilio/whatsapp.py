"""WhatsApp messages of a Twilio account: approved templates with their variables.

https://www.twilio.com/docs/content/using-variables-with-content-api
"""

from __future__ import annotations

import json
from collections.abc import Mapping

PREFIX = "whatsapp:"
TEMPLATE = "{1}\n{2}\n{3}\n{4}"
MAX_VARIABLE = 255
# Twilio's codes of errors.
WITHOUT_SID, INVALID_SID, INVALID_VARIABLES, NO_TEMPLATE = 21654, 21655, 21656, 63016


def rendered(form: Mapping[str, str], approved: str) -> tuple[str, int]:
    """Return the text of a template, and 0; or an empty text, and the code of the error."""
    sid, text = form.get("ContentSid", ""), form.get("ContentVariables", "")
    if not sid:
        return "", WITHOUT_SID if text else NO_TEMPLATE
    if sid != approved:
        return "", INVALID_SID
    try:
        values = json.loads(text or "{}")
        is_valid = sorted(values) == ["1", "2", "3", "4"] and all(map(_is_variable, values.values()))
    except (ValueError, TypeError):
        is_valid = False
    if not is_valid:
        return "", INVALID_VARIABLES
    shown = TEMPLATE
    for name, value in values.items():
        shown = shown.replace(f"{{{name}}}", value, 1)
    return shown, 0


def _is_variable(value: object) -> bool:
    # WhatsApp refuses empty variables, new lines, tabs, and more than four spaces in a row.
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_VARIABLE
        and not {"\n", "\t"} & set(value)
        and "     " not in value
    )
