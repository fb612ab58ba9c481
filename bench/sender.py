"""Send events as Tableau does, from a process of its own: its work must not delay the simulated Tableau and Slack.

python -m bench.sender PORT    sends the events in standard input, one in a line, and prints the time of the first and
                               the number of each status
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

from bench.server import ROOT, TOKEN

CONNECTIONS = 16
# Tableau retries an event three times.
ATTEMPTS = 4
SECONDS = 30.0


def send(port: int, events: list[dict[str, Any]]) -> float:
    """Send the events over 16 connections, again after a 503, as Tableau does, and return the time (Unix) of the first.

    Raises AssertionError unless all were acknowledged.
    """
    lines = "".join(json.dumps(event) + "\n" for event in events)
    command = [sys.executable, "-m", "bench.sender", str(port)]
    sent = subprocess.run(command, cwd=ROOT, input=lines, capture_output=True, text=True, check=True)
    result = json.loads(sent.stdout)
    assert result["statuses"] == {"200": len(events)}, result
    return float(result["began"])


def main(port: int) -> None:
    """Send what is in standard input."""
    bodies = [line.encode() for line in sys.stdin]

    def run(number: int) -> Counter[int]:
        connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        return Counter(post(connection, body) for body in bodies[number::CONNECTIONS])

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        began = time.time()
        statuses = sum(pool.map(run, range(CONNECTIONS)), Counter[int]())
    print(json.dumps({"began": began, "statuses": statuses}))


def post(connection: HTTPConnection, body: bytes) -> int:
    """Send one event, and return the last status."""
    for _ in range(ATTEMPTS):
        connection.request("POST", f"/webhook/{TOKEN}", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        if response.status != HTTPStatus.SERVICE_UNAVAILABLE:
            break
        time.sleep(int(response.headers["Retry-After"]))
    return response.status


if __name__ == "__main__":
    main(int(sys.argv[1]))
