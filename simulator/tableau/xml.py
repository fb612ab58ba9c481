"""Convert between dictionaries and Tableau's XML. Pure.

A value is an attribute, a dictionary an element, a list several elements of one name; a few names hold text instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

NAMESPACE = "http://tableau.com/api"
SCHEMA = "http://www.w3.org/2001/XMLSchema-instance"
# Plain values of JSON that are the text of an element.
TEXTS = {"restApiVersion", "summary", "detail", "notes", "body", "lastRunAt"}
# The name that JSON gives to the text of an element that also has attributes.
TEXT_OF = {"productVersion": "value"}
# Characters that XML 1.0 cannot contain.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class NotXml(ValueError):
    """The bytes are not XML, or XML that is not accepted."""


def to_xml(document: Mapping[str, object]) -> bytes:
    """Return a document as a `tsResponse`."""
    root = ET.Element("tsResponse", {"xmlns": NAMESPACE, "xmlns:xsi": SCHEMA})
    _fill(root, document)
    written: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


def _fill(element: ET.Element, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, list):
            for entry in value:
                _fill(ET.SubElement(element, name), entry)
        elif isinstance(value, Mapping):
            _fill(ET.SubElement(element, name), value)
        elif name in TEXTS:
            ET.SubElement(element, name).text = _text(value)
        elif TEXT_OF.get(element.tag) == name:
            element.text = _text(value)
        else:
            element.set(name, _text(value))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return FORBIDDEN.sub("", str(value))


def from_xml(body: bytes) -> dict[str, object]:
    """Return a `tsRequest` as the dictionary that the same request in JSON would be. Raises NotXml."""
    if b"<!DOCTYPE" in body[:1000]:
        raise NotXml("document types are not accepted")
    try:
        root = ET.fromstring(body)
    except ET.ParseError as error:
        raise NotXml(str(error)) from error
    read = _read(root)
    return read if isinstance(read, dict) else {}


def _read(element: ET.Element) -> object:
    values: dict[str, object] = dict(element.attrib)
    for child in element:
        name = child.tag.rpartition("}")[2]
        value = _read(child)
        if name not in values:
            values[name] = value
        elif isinstance(values[name], list):
            values[name].append(value)  # type: ignore[attr-defined]
        else:
            values[name] = [values[name], value]
    text = (element.text or "").strip()
    return values if values or not text else text
