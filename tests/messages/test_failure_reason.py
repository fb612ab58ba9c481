"""The reason of a failure, extracted from Tableau's notes."""

from __future__ import annotations

import pytest

from webhooks.messages.failure_reason import MAX_LENGTH, failure_reason

STACK = """com.tableausoftware.core.exceptions.RefreshException: The refresh failed
\tat com.tableausoftware.Refresh.run(Refresh.java:12)
\t... 3 more
Caused by: java.sql.SQLException: Login failed for user 'svc'
\tat java.sql.Driver.connect(Driver.java:9)
Caused by: java.net.UnknownHostException: warehouse.acme.example: Name or service not known
\t... 9 more
"""


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ("", ""),
        ("\n  \n", ""),
        ("Login failed.", "Login failed."),
        ("java.lang.RuntimeException: Login failed.\nUnable to connect.", "Login failed. Unable to connect."),
        ("db.acme.example: refused", "db.acme.example: refused"),
        ("java.lang.RuntimeException: java.sql.SQLException: Login failed.", "Login failed."),
        ("java.lang.NullPointerException", "java.lang.NullPointerException"),
        ("java.lang.RuntimeException:\nThe disk is full", "The disk is full"),
        (STACK, "The refresh failed: warehouse.acme.example: Name or service not known"),
        ("Error:   too    many\tspaces", "Error: too many spaces"),
        (
            "[Microsoft][ODBC Driver 18 for SQL Server]Login failed",
            "[Microsoft][ODBC Driver 18 for SQL Server]Login failed",
        ),
        ("Cannot connect with user=ann;password=hunter2;host=db", "Cannot connect with user=ann;password=***;host=db"),
        ("Token: abc.def refused, PWD = xyz", "Token: *** refused, PWD = ***"),
        ("PWD='hun ter2';Server=db", "PWD=***;Server=db"),
        ('{"password": "hun ter2", "user": "ann"}', '{"password": ***, "user": "ann"}'),
        ("UID=ann;PWD={hun;ter2};Server=db", "UID=ann;PWD=***;Server=db"),
        ("AccountKey=abc==;dbPassword=x;api-key: y", "AccountKey=***;dbPassword=***;api-key: ***"),
        ("cannot open postgres://ann:hunter2@db/sales", "cannot open postgres://ann:***@db/sales"),
        ("cannot open postgres://ann:hun/t@r2@db/sales", "cannot open postgres://ann:***@db/sales"),
        ("jdbc:oracle:thin:ann/hunter2@db:1521", "jdbc:oracle:thin:ann/***@db:1521"),
        ("Authorization: Bearer abcdefgh", "Authorization: Bearer ***"),
        ("Authorization: Basic YW5uOmh1", "Authorization: Basic ***"),
        ("sent Bearer eyJabc.def-g", "sent Bearer ***"),
        ("Login failed for 'x' with password hunter2", "Login failed for 'x' with password ***"),
        ("Login with password authentication failed", "Login with password authentication failed"),
        ("The password has expired", "The password has expired"),
        ("https://db.example:8443/x is unavailable", "https://db.example:8443/x is unavailable"),
        ("x" * 600, "x" * (MAX_LENGTH - 1) + "…"),
    ],
)
def test_reason_is_the_root_cause_on_one_line(notes: str, expected: str) -> None:
    """Class names and stack traces are left out, passwords masked; the deepest cause is kept."""
    assert failure_reason(notes) == expected
