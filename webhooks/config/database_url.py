"""Validate DATABASE_URL as a whole, so that a wrong one is reported at start, in one sentence."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl

POSTGRES = "postgresql+psycopg"
# Other spellings; SQLAlchemy needs the driver's name.
SCHEMES = {
    "postgres": POSTGRES,
    "postgresql": POSTGRES,
    POSTGRES: POSTGRES,
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
}
EXPECTED = "write postgres://USER:PASSWORD@HOST/NAME or sqlite:///FILE"

# The parts of an address as SQLAlchemy divides it: a password may contain anything but @.
POSTGRES_PARTS = re.compile(
    r"(?:[^:/@]*(?::[^@]*)?@)?(?:\[[^\]/?]+\]|[^/:?@]*)(?::(?P<port>[^/?]*))?(?:/(?P<name>[^?]*))?(?:\?(?P<query>.*))?"
)
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
# fmt: off
LIBPQ_PARAMETERS = {
    "host", "hostaddr", "port", "dbname", "user", "password", "passfile", "require_auth", "channel_binding",
    "connect_timeout", "client_encoding", "options", "application_name", "fallback_application_name", "keepalives",
    "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "gssencmode", "sslmode",
    "sslnegotiation", "sslcompression", "sslcert", "sslkey", "sslpassword", "sslcertmode", "sslrootcert", "sslcrl",
    "sslcrldir", "sslsni", "sslkeylogfile", "requirepeer", "ssl_min_protocol_version", "ssl_max_protocol_version",
    "min_protocol_version", "max_protocol_version", "krbsrvname", "gsslib", "gssdelegation", "service",
    "target_session_attrs", "load_balance_hosts", "scram_client_key", "scram_server_key",
}
# fmt: on
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# Parameters of other drivers and poolers that hosting providers put into the addresses that they show.
ADVICE = {
    "schema": "remove it, or set the schema with options=-csearch_path%3DNAME",
    "search_path": "write options=-csearch_path%3DNAME instead",
    "ssl": "write sslmode=require instead",
    "encrypt": "write sslmode=require instead",
    "pgbouncer": "remove it; it is a parameter of Prisma",
    "connection_limit": "remove it; it is a parameter of Prisma",
    "pool_timeout": "remove it; it is a parameter of Prisma",
    "prepare_threshold": "remove it",
    "prepareThreshold": "remove it; it is a parameter of JDBC",
    "currentSchema": "write options=-csearch_path%3DNAME instead; it is a parameter of JDBC",
    "supa": "remove it",
    "charset": "remove it; the encoding is always UTF-8",
}


def database_url(text: str, root: Path) -> str:
    """Return the URL in the form that SQLAlchemy needs; empty stays empty.

    A relative SQLite file is below `root`. Raises ValueError that says what to write; the URL is not in the message,
    because it may contain a password.
    """
    if not text:
        return ""
    scheme, separator, rest = text.partition("://")
    if text.startswith("jdbc:"):
        raise ValueError(f"jdbc: addresses are for Java; {EXPECTED}")
    if not separator or scheme.lower() not in SCHEMES:
        base, _, driver = scheme.lower().partition("+")
        if separator and driver and base in {"postgres", "postgresql"}:
            raise ValueError(f"the driver +{driver} is not supported; write postgres:// without a driver")
        raise ValueError(EXPECTED)
    url = f"{SCHEMES[scheme.lower()]}://{rest}"
    if not url.startswith("sqlite"):
        _check_postgres(rest)
        return url
    file, question_mark, _ = rest.partition("?")
    if question_mark:
        raise ValueError("the address of a SQLite file has no parameters; remove them")
    if file in {"", "/", "/:memory:"}:
        raise ValueError("an inbox in memory is lost at exit; name a file, e.g. sqlite:///data/inbox.sqlite3")
    if not file.startswith("/"):
        raise ValueError("write three slashes before a relative file, four before an absolute one: sqlite:///FILE")
    return f"{SCHEMES[scheme.lower()]}:///{root / file[1:]}"


def _check_postgres(rest: str) -> None:
    """Raise ValueError if SQLAlchemy or libpq would reject what follows the scheme."""
    found = POSTGRES_PARTS.fullmatch(rest)
    if not found:
        raise ValueError(EXPECTED)
    port = found["port"] or ""
    # Otherwise, a part of the password would be taken for the host, and be shown in errors.
    if "@" in port or "@" in (found["name"] or ""):
        raise ValueError("write @ in a password as %40, and / as %2F")
    if "," in port:
        raise ValueError("write several hosts as parameters: ?host=HOST1:PORT1&host=HOST2:PORT2")
    if port and not port.isdigit():
        raise ValueError("the port is not a number; in a password, write @ as %40 and : as %3A")
    query = found["query"] or ""
    try:
        parameters = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ValueError("the parameters after ? are not NAME=VALUE pairs with & between them") from None
    for name, value in parameters:
        if name not in LIBPQ_PARAMETERS:
            advice = ADVICE.get(name, "remove it; the parameters are those of libpq")
            raise ValueError(f"the parameter {name!r} is not known to PostgreSQL; {advice}")
        if name == "sslmode" and value not in SSL_MODES:
            raise ValueError(f"sslmode should be one of {', '.join(SSL_MODES)}")
        if not value:
            raise ValueError(f"the parameter {name!r} has no value")
