"""Send events as Tableau does: with a timeout of three seconds, three retries, and now and then a duplicate."""

from __future__ import annotations

import http.client
import json
import random
import threading
from contextlib import closing, suppress

TIMEOUT_SECONDS = 3.0
ATTEMPTS = 4
RETRY_SECONDS = 0.15
DUPLICATE_SHARE = 0.1


class Sender:
    """Connections that send different events until `stop`; `acknowledged` has the LUIDs that got a 200."""

    def __init__(self, port: int, name: str, connections: int = 6, pause: float = 0.002) -> None:
        self._port, self._name, self._pause = port, name, pause
        self._stopping = threading.Event()
        self.acknowledged: set[str] = set()
        self.refused = 0
        self._threads = [threading.Thread(target=self._send_all, args=(number,)) for number in range(connections)]

    def start(self) -> None:
        """Start sending."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop sending, and wait for the last responses."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def post(self, luid: str) -> int:
        """Send an event and return the status of the response; 0 if there was none."""
        payload = {
            "resource": "WORKBOOK",
            "event_type": "WorkbookUpdated",
            "resource_name": f"Sales {luid}",
            "site_luid": "6b7a4a9c-1111-4222-8333-444455556666",
            "resource_luid": luid,
            "created_at": "2026-01-31T09:30:00Z",
        }
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)) as connection,
        ):
            connection.request("POST", "/webhook/bench-token", json.dumps(payload))
            with connection.getresponse() as response:
                response.read()
                return response.status
        return 0

    def _send_all(self, number: int) -> None:
        numbers, count = random.Random(f"{self._name}{number}"), 0
        while not self._stopping.is_set():
            count += 1
            luid = f"{self._name}-{number}-{count}"
            duplicate = numbers.random() < DUPLICATE_SHARE
            for _ in range(ATTEMPTS):
                if self.post(luid) == 200:
                    self.acknowledged.add(luid)
                    if duplicate:
                        self.post(luid)
                    break
                self.refused += 1
                if self._stopping.wait(RETRY_SECONDS):
                    return
            self._stopping.wait(self._pause)
