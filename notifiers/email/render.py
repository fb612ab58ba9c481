"""Render a message as an e-mail with a plain and an HTML part, in the thread of its incident. Pure."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from notifiers.message import (
    Message,
    actions_of,
    facts_of,
    link_of,
    link_to_rows,
    mentions_of,
    plain_text,
    title_of,
)
from notifiers.table import Table, left_out, text_rows
from notifiers.text import clean, one_line, shorten

# Characters of a subject, a text, a value, and a cell; rows of a table.
SUBJECT, TEXT, VALUE, CELL, ROWS = 200, 20_000, 2000, 200, 200
# A name that looks like an encoded word would be decoded, line breaks included, and could begin a header of its own.
# https://www.rfc-editor.org/rfc/rfc2047#section-2
ENCODED_WORD, SEPARATED = re.compile(r"=(?=\?)"), "=\u2060"
COLOURS = {"info": "#57606a", "good": "#1a7f37", "warning": "#9a6700", "bad": "#cf222e"}
# Of attached files, by the endings of their names.
CONTENT_TYPES = {"pdf": "application/pdf", "png": "image/png", "csv": "text/csv"}
BUTTON = "display:inline-block;padding:6px 14px;border:1px solid #8c959f;border-radius:6px;text-decoration:none"
FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"


def render(message: Message, sender: Address, recipients: Sequence[Address], now: datetime) -> EmailMessage:
    """Return the e-mail.

    All e-mails about an incident refer to the same Message-ID, which no e-mail has, and have the same subject, so that
    programs show them as one conversation, whichever of them arrived.
    """
    mail, incident = EmailMessage(policy=SMTP), message.incident
    subject = one_line(incident.title) if incident else title_of(message)
    subject = ENCODED_WORD.sub(SEPARATED, shorten(subject, SUBJECT))
    mail["Subject"] = f"{'Re: ' if incident and incident.state == 'closed' else ''}{subject}"
    mail["From"], mail["To"] = sender, tuple(recipients)
    mail["Date"] = format_datetime(now)
    places = ",".join(address.addr_spec for address in recipients)
    mail["Message-ID"] = _message_id(f"{message.id} {places}" if message.id else uuid.uuid4().hex, sender.domain)
    if incident:
        mail["In-Reply-To"] = mail["References"] = _message_id(f"incident {incident.key}", sender.domain)
    # No program answers an automatic message: https://www.rfc-editor.org/rfc/rfc3834#section-5
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.severity == "bad":
        mail["Importance"] = "high"
    lines = [shorten(plain_text(message), TEXT), *(f"{link.label}: {link.url}" for link in actions_of(message))]
    mail.set_content("\n".join(lines) + "\n", cte="quoted-printable")
    mail.add_alternative(_html(message), subtype="html", cte="quoted-printable")
    if message.picture is not None:
        ending = message.picture.filename.rpartition(".")[2].lower()
        main, _, sub = CONTENT_TYPES.get(ending, "application/octet-stream").partition("/")
        mail.add_attachment(message.picture.data, maintype=main, subtype=sub, filename=message.picture.filename)
    return mail


def _message_id(name: str, domain: str) -> str:
    return f"<{hashlib.sha256(name.encode()).hexdigest()[:32]}@{domain}>"


def _html(message: Message) -> str:
    colour = COLOURS[message.severity]
    parts = [f'<h1 style="font-size:18px;margin:0 0 8px;color:{colour}">{_text(title_of(message), VALUE)}</h1>']
    if mentions := mentions_of(message):
        parts.append(f"<p><b>{_text(mentions, VALUE)}</b></p>")
    if text := clean(message.text):
        lines = "<br>".join(map(escape, shorten(text, TEXT).split("\n")))
        parts.append(f'<p style="margin:0 0 12px">{lines}</p>')
    rows = "".join(
        f'<tr><td style="padding:2px 16px 2px 0;color:#57606a;vertical-align:top">{_text(name, CELL)}</td>'
        f'<td style="padding:2px 0">{_text(value, VALUE)}</td></tr>'
        for name, value in facts_of(message)
    )
    if rows:
        parts.append(f'<table role="presentation" style="border-collapse:collapse;margin:0 0 12px">{rows}</table>')
    if message.table:
        parts.append(_table(message.table))
    links = [*actions_of(message), *filter(None, [link_of(message), link_to_rows(message)])]
    if links:
        buttons = (f'<a href="{escape(link.url)}" style="{BUTTON}">{_text(link.label, CELL)}</a>' for link in links)
        parts.append(f'<p style="margin:16px 0">{" ".join(buttons)}</p>')
    if footer := one_line(message.footer):
        parts.append(f'<p style="color:#57606a;font-size:12px">{_text(footer, VALUE)}</p>')
    body = "\n".join(parts)
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        '<meta name="color-scheme" content="light dark"></head>'
        f'<body style="{FONT};font-size:14px;line-height:1.5;margin:16px">'
        f'<div style="border-left:4px solid {colour};padding-left:16px">\n{body}\n</div></body></html>\n'
    )


def _table(table: Table) -> str:
    style = "padding:4px 12px 4px 0;text-align:left;border-bottom:1px solid #d0d7de"
    header, *rows = text_rows(table)[: ROWS + 1]
    head = "".join(f'<th style="{style}">{_text(cell, CELL)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="{style}">{_text(cell, CELL)}</td>' for cell in row) + "</tr>" for row in rows
    )
    rest = left_out(Table(table.columns, table.rows, table.total), len(rows))
    more = f"<p>{escape(rest)}</p>" if rest else ""
    return f'<table style="border-collapse:collapse;margin:0 0 12px"><tr>{head}</tr>{body}</table>{more}'


def _text(text: str, limit: int) -> str:
    return escape(shorten(text, limit))
