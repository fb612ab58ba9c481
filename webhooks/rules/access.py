"""The table `[access]`: who may do what from a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

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


def _check_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for one in patterns:
        if not one.strip() or one.startswith("!") or len(one) > MAX_NAME or not one.isprintable():
            raise ValueError(f"{one[:60]!r} is not a name with * and ?")
    return patterns


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Patterns = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_check_patterns)]


class SignInRole(BaseModel):
    """The role on the pages of people who sign in by OpenID Connect: of some groups, or with some e-mail addresses.

    It may be limited to sites and projects.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["viewer", "operator", "admin"] = Field(description="what these people may do on the pages")
    groups: Patterns = Field((), description="groups of the identity provider", examples=["BI team"])
    people: Annotated[Patterns, AfterValidator(_check_operators)] = Field(
        (), description="verified e-mail addresses", examples=["*@acme.example"]
    )
    sites: Patterns = Field((), description="only on these sites; without it, on all", examples=["finance"])
    projects: Patterns = Field((), description="only in these projects; without it, in all", examples=["Finance*"])

    @model_validator(mode="after")
    def _require_people(self) -> Self:
        if not self.groups and not self.people:
            raise ValueError('has neither groups nor people; add one, such as groups = "BI team"')
        return self

    def includes(self, groups: Sequence[str], email: str) -> bool:
        """Return whether a person of these groups, with this verified e-mail address, has the role."""
        is_member = bool(self.groups) and bool(groups) and matches(self.groups, groups)
        return is_member or (bool(self.people) and bool(email) and matches(self.people, [email]))


class Access(BaseModel):
    """The people who may act. `operators` are e-mail addresses with `*` and `?`; they may start refreshes.

    `phones` has the name of the person with each number that text messages come from, `roles` who may do what on the
    pages after a sign-in by OpenID Connect.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    operators: Annotated[
        tuple[str, ...],
        BeforeValidator(_listed),
        AfterValidator(_check_operators),
    ] = Field((), description="who may start refreshes from Slack, by e-mail address", examples=["*@acme.example"])
    phones: Annotated[dict[str, str], AfterValidator(_check_phones)] = Field(
        default_factory=dict,
        description="names of people who reply to text messages, by phone number",
        examples=[{"+15550100": "Ann"}],
    )
    roles: tuple[SignInRole, ...] = Field((), description="roles of people who sign in: `[[access.roles]]`")

    def is_operator(self, email: str) -> bool:
        """Return whether the person with this e-mail address may start refreshes."""
        return bool(email) and bool(self.operators) and matches(self.operators, [email])

    def role_of(self, groups: Sequence[str], email: str) -> SignInRole | None:
        """Return the first role that includes a person; None if none does. `email` is empty unless it is verified."""
        return next((role for role in self.roles if role.includes(groups, email)), None)

    def name_of_number(self, number: str) -> str:
        """Return the name of the person with this phone number, of any channel; empty if it is not known."""
        return self.phones.get(number.rpartition(":")[2], "")


# Without the table, no one may start refreshes.
NO_OPERATORS = Access()
