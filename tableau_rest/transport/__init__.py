"""HTTP below the protocol: requests within a deadline, safe repeats, and typed errors."""

from tableau_rest.transport.transport import (
    CALL_TIMEOUTS,
    EXPORT_TIMEOUTS,
    MAX_BODY,
    TOKEN_HEADER,
    Observe,
    RenewingSession,
    Response,
    Timeouts,
    Transport,
    not_observed,
)

__all__ = [
    "CALL_TIMEOUTS",
    "EXPORT_TIMEOUTS",
    "MAX_BODY",
    "TOKEN_HEADER",
    "Observe",
    "RenewingSession",
    "Response",
    "Timeouts",
    "Transport",
    "not_observed",
]
