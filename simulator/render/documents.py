"""Write small PDF, Excel, PowerPoint and CSV files."""

from __future__ import annotations

import csv as table
import io
import random
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
REGIONS = ("North", "East", "South", "West", "Online")
OPEN = "http://schemas.openxmlformats.org"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
PPTX_NAMESPACES = (
    f'xmlns:p="{OPEN}/presentationml/2006/main" '
    f'xmlns:r="{OPEN}/officeDocument/2006/relationships" '
    f'xmlns:a="{OPEN}/drawingml/2006/main"'
)
Rows = Sequence[Sequence[str]]


def numbers(seed: str, filters: Sequence[str] = ()) -> Rows:
    """Return the rows of a view, always the same for the same seed, with the filter on Region applied."""
    source = random.Random(seed)
    wanted = {part.strip() for entry in filters if entry.startswith("Region:") for part in entry[7:].split(",")}
    rows = [
        (region, month, str(source.randint(800, 99000)))
        for region in REGIONS
        for month in ("January", "February", "March")
    ]
    return [("Region", "Month", "Sales"), *[row for row in rows if not wanted or row[0] in wanted]]


def csv(rows: Rows) -> bytes:
    """Return rows as Tableau's CSV: commas, UTF-8, line feeds."""
    out = io.StringIO()
    table.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


def package(files: Mapping[str, bytes]) -> bytes:
    """Return files as a ZIP, with the same bytes for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def pdf(pages: Sequence[str]) -> bytes:
    """Return a PDF with a line of text on each page (https://pdfa.org/resource/iso-32000-2/)."""
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for index, text in enumerate(pages):
        encodable = text.encode("cp1252", "replace").decode("cp1252")
        escaped = encodable.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        stream = f"BT /F1 24 Tf 72 500 Td ({escaped}) Tj ET"
        font = "/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 842 595] {font} /Contents {5 + 2 * index} 0 R >>")
        objects.append(f"<< /Length {len(stream.encode('cp1252'))} >>\nstream\n{stream}\nendstream")
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, entry in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, entry.encode("cp1252"))
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def xlsx(rows: Rows) -> bytes:
    """Return an Excel workbook with one sheet."""

    def cell(value: str) -> str:
        if value.isdigit():
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'

    lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    main = f"{OPEN}/spreadsheetml/2006/main"
    rels = f"{OPEN}/officeDocument/2006/relationships"
    sheets = f'<sheets><sheet name="Crosstab" sheetId="1" xmlns:r="{rels}" r:id="rId1"/></sheets>'
    data = f"<sheetData>{lines}</sheetData>"
    types = _content_types(
        {"/xl/workbook.xml": f"{XLSX}.main+xml", "/xl/worksheets/sheet1.xml": XLSX[:-5] + "worksheet+xml"}
    )
    return package(
        {
            "[Content_Types].xml": types,
            "_rels/.rels": _relations({"rId1": ("officeDocument", "xl/workbook.xml")}),
            "xl/workbook.xml": f'{HEAD}<workbook xmlns="{main}">{sheets}</workbook>'.encode(),
            "xl/_rels/workbook.xml.rels": _relations({"rId1": ("worksheet", "worksheets/sheet1.xml")}),
            "xl/worksheets/sheet1.xml": f'{HEAD}<worksheet xmlns="{main}">{data}</worksheet>'.encode(),
        }
    )


def _content_types(parts: Mapping[str, str]) -> bytes:
    overrides = "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in parts.items())
    rels = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    png = '<Default Extension="png" ContentType="image/png"/><Default Extension="xml" ContentType="application/xml"/>'
    return f'{HEAD}<Types xmlns="{OPEN}/package/2006/content-types">{rels}{png}{overrides}</Types>'.encode()


def _relations(targets: Mapping[str, tuple[str, str]]) -> bytes:
    kinds = f"{OPEN}/officeDocument/2006/relationships"
    relations = "".join(
        f'<Relationship Id="{key}" Type="{kinds}/{kind}" Target="{to}"/>' for key, (kind, to) in targets.items()
    )
    return f'{HEAD}<Relationships xmlns="{OPEN}/package/2006/relationships">{relations}</Relationships>'.encode()


def pptx(slides: Mapping[str, bytes]) -> bytes:
    """Return PowerPoint slides with a title and a picture each."""
    base = PPTX[: -len("presentation")]
    files: dict[str, bytes] = {}
    parts = {"/ppt/presentation.xml": f"{PPTX}.main+xml"}
    relations: dict[str, tuple[str, str]] = {}
    for number, (title, picture) in enumerate(slides.items(), 1):
        parts[f"/ppt/slides/slide{number}.xml"] = f"{base}slide+xml"
        relations[f"rId{number}"] = ("slide", f"slides/slide{number}.xml")
        files[f"ppt/media/image{number}.png"] = picture
        files[f"ppt/slides/slide{number}.xml"] = _slide(title)
        files[f"ppt/slides/_rels/slide{number}.xml.rels"] = _relations(
            {"rId1": ("image", f"../media/image{number}.png")}
        )
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="rId{n}"/>' for n in range(1, len(slides) + 1))
    listed = f'<p:sldIdLst>{ids}</p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/><p:notesSz cx="6858000" cy="9144000"/>'
    files["ppt/presentation.xml"] = f"{HEAD}<p:presentation {PPTX_NAMESPACES}>{listed}</p:presentation>".encode()
    files["ppt/_rels/presentation.xml.rels"] = _relations(relations)
    files["_rels/.rels"] = _relations({"rId1": ("officeDocument", "ppt/presentation.xml")})
    return package({"[Content_Types].xml": _content_types(parts)} | files)


def _slide(title: str) -> bytes:
    group = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    named = (
        f'<p:nvPicPr><p:cNvPr id="2" name="{escape(title, {chr(34): "&quot;"})}"/><p:cNvPicPr/><p:nvPr/></p:nvPicPr>'
    )
    filled = '<p:blipFill><a:blip r:embed="rId1"/><a:stretch><a:fillRect/></a:stretch></p:blipFill>'
    placed = '<a:xfrm><a:off x="457200" y="457200"/><a:ext cx="8229600" cy="5943600"/></a:xfrm>'
    shape = f'<p:spPr>{placed}<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr>'
    picture = f"<p:pic>{named}{filled}{shape}</p:pic>"
    return f"{HEAD}<p:sld {PPTX_NAMESPACES}><p:cSld><p:spTree>{group}{picture}</p:spTree></p:cSld></p:sld>".encode()
