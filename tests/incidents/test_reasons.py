"""Reasons of failed refreshes get the right class, or none; a wrong class is worse than none."""

from __future__ import annotations

import time
from typing import get_args

import pytest

from webhooks.incidents.reasons import ADVICE, ReasonClass, classify

# Worded as Tableau, its drivers and the databases word them.
REASONS: dict[ReasonClass, list[str]] = {
    "credentials": [
        "Invalid username or password.",
        "Login failed for user 'etl'. [Microsoft][ODBC Driver 17 for SQL Server]",
        "[Oracle][ODBC][Ora]ORA-01017: invalid username/password; logon denied",
        'FATAL: password authentication failed for user "tableau"',
        "DataSourceException: Authentication failed. Sign-in credentials needed",
        "Access denied for user 'tableau'@'10.0.0.4' (using password: YES)",
        "Incorrect username or password was specified. [Snowflake]",
        "The credentials for this data source are not embedded: prompt for credentials is set",
        "ERROR: permission denied for table orders",
        "The account is locked",
        "ORA-28000: the account is locked",
        "HTTP 401 Unauthorized",
        "User does not have permission to query table finance.orders",
        "Insufficient privileges to operate on schema 'PUBLIC'",
        "Your password has expired. Password expired for user etl",
        "Unable to validate the embedded credentials",
    ],
    "OAuth expired": [
        "invalid_grant: Token has been expired or revoked.",
        "OAuth error: the refresh token is no longer valid",
        "The access token has expired",
        "AADSTS70008: The provided authorization code or refresh token has expired due to inactivity.",
        "Access token is invalid or has been revoked: Google BigQuery",
    ],
    "network": [
        'Unable to connect to the server "db.example.com". Check that the server is running',
        "could not connect to server: Connection refused. Is the server running and accepting connections",
        "The connection was reset by the peer: connection reset",
        "java.net.UnknownHostException: db.example.com unknown host",
        "could not translate host name: Name or service not known",
        "Communications link failure. The last packet sent successfully to the server was 0 milliseconds ago",
        "ORA-12541: TNS:no listener",
        "ORA-12154: TNS:could not resolve the connect identifier specified",
        "SSL error: certificate verify failed",
        "server closed the connection unexpectedly",
        "The service is currently unavailable. HTTP 503",
        "A network-related or instance-specific error occurred while establishing a connection",
        "No route to host",
        'FATAL: sorry, too many connections for role "etl": too many connections',
    ],
    "time-out": [
        "The query time resource limit (7200 seconds) was exceeded: query timed out",
        "The query time resource limit (7200 seconds) was exceeded.",
        "Timeout error. Your session has timed out",
        "canceling statement due to statement timeout",
        "Task exceeded the maximum allowed runtime of 120 minutes",
        "Query execution timed out after 1800 seconds",
        "Read timed out: connection lost",
    ],
    "disk or quota": [
        "java.io.IOException: No space left on device",
        'could not write to file "base/pgsql_tmp/pgsql_tmp1.0": No space left on device',
        "The site has exceeded its storage quota",
        "Could not allocate space: the transaction log for database 'dw' is full",
        "ORA-01652: unable to extend temp segment by 128 in tablespace TEMP",
        "java.lang.OutOfMemoryError: Java heap space",
        "Insufficient disk space to create the extract",
        "Not enough storage space to publish: storage limit reached",
        "No more spool space in etl",
        "Resources exceeded during query execution: not enough memory",
        "Out of memory: query requires 12 GB",
    ],
    "schema change": [
        'ERROR: column "net_amount" does not exist',
        "Invalid column name 'region'.",
        "Invalid object name 'dbo.Orders'.",
        'ERROR: relation "sales.orders" does not exist',
        'ORA-00904: "NET_AMOUNT": invalid identifier',
        "ORA-00942: table or view does not exist",
        "Unknown column 'net' in 'field list'",
        "The table [Orders$] was not found",
        "Object 'DW.PUBLIC.ORDERS' does not exist or not authorized.",
        "The field [Net Amount] is missing from the data source",
        "Cannot find the table or column that the data source uses: cannot find the column",
        "Data type mismatch in column amount",
        "The worksheet 'January' could not be found in the Excel file",
    ],
    "Bridge offline": [
        "Tableau Bridge client is offline",
        "No Tableau Bridge agents are available in the pool",
        "The remote agent is not available to refresh this data source",
        "Bridge: the client is not connected",
        "Bridge refresh failed: unable to reach the client",
    ],
    "cancelled": [
        "The job was canceled by an administrator",
        "Job was cancelled on user request",
        "Refresh was cancelled because of a site restart",
        "ERROR: canceling statement due to user request",
    ],
    "licence": [
        "The license for this driver has expired: license expired",
        "Your Tableau licence is not valid",
        "This product is unlicensed",
        "No valid license found for connector",
    ],
    "unknown": [
        "",
        "An unexpected error occurred. Please contact your administrator.",
        "Error code: 8C0F4E1B",
        "null",
        "Refresh failed",
        "The extract contains 401 rows",
        "Bridgeport sales extract: unexpected value",
    ],
}
CASES = [(text, expected) for expected, texts in REASONS.items() for text in texts]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_class(text: str, expected: ReasonClass) -> None:
    """The reason has this class, also in capitals and on several lines."""
    assert classify(text) == expected
    assert classify(text.upper().replace(" ", "\n")) == expected


def test_every_class_has_one_line_of_advice() -> None:
    """The advice is one sentence."""
    assert set(ADVICE) == set(get_args(ReasonClass)) == set(REASONS)
    for advice in ADVICE.values():
        assert advice.endswith(".")
        assert "\n" not in advice
        assert len(advice) <= 120


@pytest.mark.parametrize(
    "part", ["column ", "bridge ", "exceeded ", "no ", "license is ", "oauth-", "\u0130", "(a|", "~"]
)
def test_hostile_reasons_take_no_time(part: str) -> None:
    """A long reason of nothing but beginnings is classified with a fraction of a second of processor time."""
    text = part * (200_000 // len(part))
    begun = time.thread_time()
    classify(text)
    assert time.thread_time() - begun < 1
