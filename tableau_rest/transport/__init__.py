"""HTTP below the protocol: requests within a deadline, safe repeats, and typed errors."""

from tableau_rest.transport.transport import (
    CALL_TIMEOUTS,
    EXPORT_TIMEOUTS,
    MAX_BODY,
    TOKEN_HEADER,
    RenewingSession,
    Response,
    Timeouts,
    Transport,
)

__all__ = [
    "CALL_TIMEOUTS",
    "EXPORT_TIMEOUTS",
    "MAX_BODY",
    "TOKEN_HEADER",
    "RenewingSession",
    "Response",
    "Timeouts",
    "Transport",
]
