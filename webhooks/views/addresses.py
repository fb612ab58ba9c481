"""Write destinations for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notifiers import Notifiers


def address_of(destination: str, notifiers: Notifiers) -> str:
    """Return the address of a destination without the kind of its notifier: `#finance` for `slack:#finance`."""
    from notifiers import parse_destination  # noqa: PLC0415 - nothing is sent
    from webhooks.destinations import resolve_default  # noqa: PLC0415 - as above

    try:
        found = parse_destination(resolve_default(destination, notifiers.with_default_address))
    except ValueError:
        return destination
    return found.to or notifiers.configs[found.kind].default_address or found.kind
