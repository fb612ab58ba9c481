"""Partial requests: pure, by a table, in one piece and byte by byte."""

from __future__ import annotations

import time

import pytest

from webhooks.gunicorn.partial_request import MAX_BODY_BYTES, MAX_HEAD_BYTES, PartialRequest

START = b"POST /webhook HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("data", "served", "whole", "keeps"),
    [
        (b"", False, False, False),
        (b"POST /webhook HTT", False, False, False),
        (START, False, False, False),
        (b"GET / HTTP/1.1\r\n\r\n", True, True, True),
        (START + b"\r\n", True, True, True),
        (START + b"Content-Length: 3\r\n\r\nab", True, False, False),
        (START + b"Content-Length: 3\r\n\r\nabc", True, True, True),
        (START + b"content-LENGTH:0003 \r\n\r\nabcGET", True, True, True),
        (START + b"Content-Length: 0\r\n\r\n", True, True, True),
        (START + b"X-Content-Length: 3\r\n\r\n", True, True, True),
        # The server refuses these, whatever follows.
        (START + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", True, False, False),
        (START + b"Content-Length: x\r\n\r\n", True, False, False),
        (START + b"Content-Length: -1\r\n\r\n", True, False, False),
        (START + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", True, False, False),
        (START + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), True, False, False),
        (START + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", True, False, False),
        (START + b"Bad: line\n", True, False, False),
        (b"GET / HTTP/1.1\n\n", True, False, False),
        (START + b"A: " + b"a" * MAX_HEAD_BYTES, True, False, False),
        # The end of a body in chunks is only a guess, so the connection is not used for another request.
        (START + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", True, False, False),
        (START + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", True, True, False),
        (START + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", True, True, False),
        (START + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n", True, False, False),
        (START + b"Expect: 100-continue\r\nContent-Length: 60000\r\n\r\n", True, False, False),
    ],
)
def test_what_is_received(data: bytes, served: bool, whole: bool, keeps: bool) -> None:
    """It does not matter in which pieces the bytes arrive."""
    request = PartialRequest()
    request.add(data)
    assert (request.served, request.whole, request.keeps_connection) == (served, whole, keeps)
    slow = PartialRequest()
    for position in range(len(data)):
        slow.add(data[position : position + 1])
    assert (slow.served, slow.whole, slow.keeps_connection) == (served, whole, keeps)
    assert bytes(slow.received) == data


def test_no_more_is_collected_than_the_limits() -> None:
    """A client that sends without end does not fill the memory."""
    request = PartialRequest()
    request.add(START + b"Transfer-Encoding: chunked\r\n\r\n")
    while not request.full:
        request.add(b"x" * 1024)
    assert len(request.received) <= MAX_HEAD_BYTES + MAX_BODY_BYTES + 1024


def test_bytes_that_arrive_one_by_one_take_no_time() -> None:
    """Each byte is looked at once: the main thread must not be kept busy by 64 KiB in as many pieces."""
    began = time.process_time()
    request = PartialRequest()
    for _ in range(MAX_HEAD_BYTES):
        request.add(b"a")
    assert time.process_time() - began < 2
