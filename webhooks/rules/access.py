"""The table `[access]`: who may do what from a message."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from webhooks.patterns import matches


def _check_operators(operators: tuple[str, ...]) -> tuple[str, ...]:
    for one in operators:
        if "@" not in one or one.startswith("!"):
            raise ValueError(f'{one!r} is not an e-mail address; write "ann@example.org", or "*@example.org" for all')
    return operators


class Access(BaseModel):
    """The people who may act. `operators` are e-mail addresses with `*` and `?`; they may start refreshes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    operators: Annotated[
        tuple[str, ...],
        BeforeValidator(lambda value: value if isinstance(value, list | tuple) else [value]),
        AfterValidator(_check_operators),
    ] = ()

    def is_operator(self, email: str) -> bool:
        """Return whether the person with this e-mail address may start refreshes."""
        return bool(email) and bool(self.operators) and matches(self.operators, [email])


# Without the table, no one may start refreshes.
NO_OPERATORS = Access()
