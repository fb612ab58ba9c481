"""Pictures and office files are what they claim to be."""

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
    chunks, place = {}, 8
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        data = png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0] == zlib.crc32(kind + data)
        chunks[kind] = data
        place += 12 + length
    return chunks


@pytest.mark.parametrize("size", [(480, 300), (801, 601), (1600, 1200), (120, 90)])
def test_chart_is_a_png_of_the_wanted_size(size: tuple[int, int]) -> None:
    """Header, checksums and as many bytes of pixels as promised."""
    chunks = _chunks(chart("Sales", "Finance", "seed", *size))
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == size
    assert len(zlib.decompress(chunks[b"IDAT"])) == size[1] * (3 * size[0] + 1)


def test_chart_differs_by_workbook_and_repeats_itself() -> None:
    """The same for the same, another for another."""
    pictures = {chart(name, "", "1") for name in ("Sales", "Churn", "Cash Flow", "Web Traffic")}
    assert len(pictures) == 4
    chart.cache_clear()
    assert chart("Sales", "", "1") in pictures


def test_canvas_draws_within_its_edges() -> None:
    """What lies outside is cut off, not an error."""
    canvas = Canvas(4, 4)
    canvas.box(-5, -5, 20, 20, (1, 2, 3))
    canvas.disc(0, 0, 3, (0, 0, 0))
    canvas.line((-3, -3), (9, 9), (0, 0, 0))
    canvas.text(2, 2, "Ä~ 😀", (9, 9, 9))
    assert len(zlib.decompress(_chunks(canvas.png())[b"IDAT"])) == 4 * 13


def test_letters_become_what_the_font_has() -> None:
    """Accents are taken off; the rest is a question mark."""
    assert plain("Überblick €~") == "UBERBLICK ??"


def test_pdf_has_its_pages_where_its_table_says() -> None:
    """Every offset of the cross-reference points at an object."""
    document = pdf(["one (1)", "two \\ ł"])
    table = document[document.rindex(b"\nxref") + 1 :].split(b"\n")
    offsets = [int(line[:10]) for line in table[3:] if line.endswith(b" n ")]
    assert len(offsets) == 7
    assert all(document[offset:].startswith(b"%d 0 obj" % number) for number, offset in enumerate(offsets, 1))
    assert int(document.split()[-2]) == document.rindex(b"xref\n0")


def test_office_files_are_well_formed() -> None:
    """Every part of the packages is XML that can be read, and every type is declared."""
    rows = numbers("seed")
    for data in (xlsx(rows), pptx({'A & "B"': b"png"})):
        archive = zipfile.ZipFile(io.BytesIO(data))
        assert archive.testzip() is None
        parts = [name for name in archive.namelist() if name.endswith((".xml", ".rels"))]
        assert all(ET.fromstring(archive.read(name)) is not None for name in parts)
    assert csv(rows).decode().count("\n") == len(rows) == 16
