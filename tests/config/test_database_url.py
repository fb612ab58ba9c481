"""DATABASE_URL is validated as a whole, in one sentence, without its password."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from webhooks.config.database_url import database_url
from webhooks.config.settings import ROOT, Settings
from webhooks.inbox import Inbox

HOME = Path("/srv/app")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("Postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgres://u@h", "postgresql+psycopg://u@h"),
        ("postgres:///d?host=/var/run/postgresql", "postgresql+psycopg:///d?host=/var/run/postgresql"),
        ("postgres://u:p@[::1]:5432/d", "postgresql+psycopg://u:p@[::1]:5432/d"),
        ("postgres://u:a/b#c?d:e@h/d", "postgresql+psycopg://u:a/b#c?d:e@h/d"),
        ("postgres://u:p@h/d?sslmode=verify-full", "postgresql+psycopg://u:p@h/d?sslmode=verify-full"),
        ("postgres://u:p@h/d?options=-c search_path=x", "postgresql+psycopg://u:p@h/d?options=-c search_path=x"),
        ("postgres://u@/d?host=a:1&host=b:2", "postgresql+psycopg://u@/d?host=a:1&host=b:2"),
        ("sqlite:////data/x.db", "sqlite:////data/x.db"),
        ("sqlite:///x.db", "sqlite:////srv/app/x.db"),
        ("sqlite:///data/x.db", "sqlite:////srv/app/data/x.db"),
    ],
)
def test_valid_urls_are_completed(text: str, expected: str) -> None:
    """Short forms get their driver, relative files are below the project's root; SQLAlchemy accepts the result."""
    url = database_url(text, HOME)
    assert url == expected
    if url:
        make_url(url)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nonsense-s3kret", "write postgres://USER:PASSWORD@HOST/NAME or sqlite:///FILE"),
        ("mysql://u:s3kret@h/d", "write postgres://USER:PASSWORD@HOST/NAME or sqlite:///FILE"),
        ("jdbc:postgresql://h/d?user=u&password=s3kret", "jdbc: addresses are for Java; write postgres://"),
        ("postgresql+psycopg2://u:s3kret@h/d", "the driver +psycopg2 is not supported; write postgres:// without"),
        ("postgres+asyncpg://u:s3kret@h/d", "the driver +asyncpg is not supported; write postgres:// without"),
        ("postgres://u:s3kret@h/d?pgbouncer=true", "the parameter 'pgbouncer' is not known to PostgreSQL; remove it"),
        ("postgres://u:s3kret@h/d?sslmode=require&connection_limit=1", "the parameter 'connection_limit' is not known"),
        ("postgres://u:s3kret@h/d?schema=public", "remove it, or set the schema with options=-csearch_path%3DNAME"),
        ("postgres://u:s3kret@h/d?supa=base-pooler.x", "the parameter 'supa' is not known to PostgreSQL; remove it"),
        ("postgres://u:s3kret@h/d?prepare_threshold=0", "the parameter 'prepare_threshold' is not known"),
        ("postgres://u:s3kret@h/d?whatever=1", "remove it; the parameters are those of libpq"),
        ("postgres://u:s3kret@h/d?ssl=true", "write sslmode=require instead"),
        ("postgres://u:s3kret@h/d?sslmode=no-verify", "sslmode should be one of disable, allow, prefer, require"),
        ("postgres://u:s3kret@h/d?sslmode", "the parameters after ? are not NAME=VALUE pairs"),
        ("postgres://u:s3kret@h/d?sslrootcert=", "the parameter 'sslrootcert' has no value"),
        ("postgres://u:s3k@ret@h/d", "write @ in a password as %40"),
        ("postgres://u:s3k@re/t@h:5432/d", "write @ in a password as %40, and / as %2F"),
        ("postgres://u:s3kret@h:port/d", "the port is not a number"),
        ("postgres://u:s3kret@h1:5432,h2:5432/d", "write several hosts as parameters: ?host=HOST1:PORT1&host="),
        ("sqlite://", "an inbox in memory is lost at exit; name a file"),
        ("sqlite:///:memory:", "an inbox in memory is lost at exit; name a file"),
        ("sqlite://data/x.db", "write three slashes before a relative file, four before an absolute one"),
        ("sqlite:///x.db?mode=ro", "the address of a SQLite file has no parameters; remove them"),
    ],
)
def test_invalid_url_is_refused_at_start(text: str, problem: str) -> None:
    """Also in processes that would not open the database; the password is not shown."""
    with pytest.raises(RuntimeError, match="DATABASE_URL: ") as raised:
        Settings.read(_env_file=None, database_url=text)
    assert problem in str(raised.value)
    assert "s3k" not in str(raised.value)


def test_relative_file_is_below_the_root() -> None:
    """A command that is started in another folder uses the same inbox as the server."""
    settings = Settings.read(_env_file=None, database_url="sqlite:///data/x.db")
    assert settings.database_url.get_secret_value() == f"sqlite:///{ROOT}/data/x.db"


@pytest.mark.parametrize("text", ["nonsense-s3kret", "postgresql+psycopg://u:s3kret@h:port/d"])
def test_inbox_refuses_an_invalid_address_in_one_sentence(text: str) -> None:
    """A command can pass the sentence on to its user."""
    with pytest.raises(RuntimeError, match="DATABASE_URL") as raised:
        Inbox.open(text)
    assert "s3kret" not in str(raised.value)
