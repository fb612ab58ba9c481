"""The table `[access]`: who may do what from a message."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from notifiers.twilio import TwilioNotifier
from webhooks.patterns import matches

# Characters of a person's name.
MAX_NAME = 200


def _check_operators(operators: tuple[str, ...]) -> tuple[str, ...]:
    for one in operators:
        if "@" not in one or one.startswith("!"):
            raise ValueError(f'{one!r} is not an e-mail address; write "ann@example.org", or "*@example.org" for all')
    return operators


def _check_phones(phones: dict[str, str]) -> dict[str, str]:
    found = {}
    for number, name in phones.items():
        plain = TwilioNotifier.parse_address(number)
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise ValueError(f"{number}: write the person's name, on one line of at most {MAX_NAME} characters")
        found[plain] = name.strip()
    return found


class Access(BaseModel):
    """The people who may act. `operators` are e-mail addresses with `*` and `?`; they may start refreshes.

    `phones` has the name of the person with each number that text messages come from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    operators: Annotated[
        tuple[str, ...],
        BeforeValidator(lambda value: value if isinstance(value, list | tuple) else [value]),
        AfterValidator(_check_operators),
    ] = ()
    phones: Annotated[dict[str, str], AfterValidator(_check_phones)] = Field(default_factory=dict)

    def is_operator(self, email: str) -> bool:
        """Return whether the person with this e-mail address may start refreshes."""
        return bool(email) and bool(self.operators) and matches(self.operators, [email])

    def name_of_number(self, number: str) -> str:
        """Return the name of the person with this phone number, of any channel; empty if it is not known."""
        return self.phones.get(number.rpartition(":")[2], "")


# Without the table, no one may start refreshes.
NO_OPERATORS = Access()
