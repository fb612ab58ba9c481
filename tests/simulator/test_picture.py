"""Pictures and office files are valid."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from xml.etree import ElementTree as ET

import pytest

from simulator.render.canvas import Canvas, plain
from simulator.render.chart import chart
from simulator.render.documents import csv, numbers, pdf, pptx, xlsx


def _chunks(png: bytes) -> dict[bytes, bytes]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, position = {}, 8
    while position < len(png):
        length, kind = struct.unpack(">I4s", png[position : position + 8])
        data = png[position + 8 : position + 8 + length]
        assert struct.unpack(">I", png[position + 8 + length : position + 12 + length])[0] == zlib.crc32(kind + data)
        chunks[kind] = data
        position += 12 + length
    return chunks


@pytest.mark.parametrize("size", [(480, 300), (801, 601), (1600, 1200), (120, 90)])
def test_chart_is_a_png_of_the_requested_size(size: tuple[int, int]) -> None:
    """The header, the checksums and the number of pixels are right."""
    chunks = _chunks(chart("Sales", "Finance", "seed", *size))
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == size
    assert len(zlib.decompress(chunks[b"IDAT"])) == size[1] * (3 * size[0] + 1)


def test_chart_is_the_same_for_the_same_workbook() -> None:
    """The same workbook has the same picture, and another one another."""
    pictures = {chart(name, "", "1") for name in ("Sales", "Churn", "Cash Flow", "Web Traffic")}
    assert len(pictures) == 4
    chart.cache_clear()
    assert chart("Sales", "", "1") in pictures


def test_canvas_clips_shapes() -> None:
    """Shapes outside the canvas are clipped."""
    canvas = Canvas(4, 4)
    canvas.box(-5, -5, 20, 20, (1, 2, 3))
    canvas.disc(0, 0, 3, (0, 0, 0))
    canvas.line((-3, -3), (9, 9), (0, 0, 0))
    canvas.text(2, 2, "Ä~ 😀", (9, 9, 9))
    assert len(zlib.decompress(_chunks(canvas.png())[b"IDAT"])) == 4 * 13


def test_text_is_reduced_to_the_font() -> None:
    """Accents are removed; other characters become question marks."""
    assert plain("Überblick €~") == "UBERBLICK ??"


def test_pdf_has_valid_offsets() -> None:
    """Every offset of the cross-reference table points to an object."""
    document = pdf(["one (1)", "two \\ ł"])
    table = document[document.rindex(b"\nxref") + 1 :].split(b"\n")
    offsets = [int(line[:10]) for line in table[3:] if line.endswith(b" n ")]
    assert len(offsets) == 7
    assert all(document[offset:].startswith(b"%d 0 obj" % number) for number, offset in enumerate(offsets, 1))
    assert int(document.split()[-2]) == document.rindex(b"xref\n0")


def test_office_files_are_well_formed() -> None:
    """Every part of the packages is well-formed XML."""
    rows = numbers("seed")
    for data in (xlsx(rows), pptx({'A & "B"': b"png"})):
        archive = zipfile.ZipFile(io.BytesIO(data))
        assert archive.testzip() is None
        parts = [name for name in archive.namelist() if name.endswith((".xml", ".rels"))]
        assert all(ET.fromstring(archive.read(name)) is not None for name in parts)
    assert csv(rows).decode().count("\n") == len(rows) == 16
