"""Names and texts that are unusual or hostile for the services that show them, by what they are meant to break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# A host that no message may link to.
EVIL = "evil.example"
HOSTILE: Mapping[str, Sequence[str]] = {
    "empty": ["", " ", "\t\n", "\u00a0", "\u200b\u200c\u200d", "\u3164\u115f", "\u00ad\u2060", "\ufeff"],
    "control": ["a\x00b", "\x1b[31mred\x1b[0m \x1b]0;title\x07", "bell\x07 back\x08space", "\x85next\x9bline", "\x7f"],
    "lines": ["one\r\ntwo", "one\rtwo", "one\u2028two\u2029three", "a\x0bb\x0cc", "\n\n\n", "tab\tseparated"],
    "headers": [f"Sales\r\nBcc: ann@{EVIL}", f"\n\n<html>{EVIL}", "=?utf-8?q?=0d=0aBcc:_x?=", "." + "\r\n.\r\nQUIT"],
    "direction": [
        "\u202egnp.exe",
        "\u2066\u2069\u200f",
        "\u05e9\u05dc\u05d5\u05dd (\u0645\u0631\u062d\u0628\u0627)",
        "\u061cx",
    ],
    "invisible": [
        "Sal\u200bes",
        "\U000e0041\U000e0042",
        "e\u0301" * 40,
        "Z\u0337\u0321\u035b\u0344a\u0338l\u0334g\u0335o" * 20,
    ],
    "emoji": ["🔥", "👩‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇺🇳", "☃️", "😀" * 200, ":fire: :here:"],
    "surrogates": ["\ud800", "a\udfffb", "\ud83d", "\ude00\ud83d"],
    "long": [
        "x" * 10_000,
        "word " * 2_000,
        "é" * 10_000,
        "😀" * 5_000,
        "&<>" * 3_000,
        '"\\' * 4_000,
        "\n".join("x" * 5_000),
    ],
    "slack": [
        "<!channel> <!here> @here @channel @everyone",
        "<@U0123456> <#C0123456>",
        f"<https://{EVIL}|Open in Tableau>",
        "*bold* _italic_ ~strike~ `code` ```pre``` > quote",
        "<!subteam^S01|team> <!date^0^{date}|x>",
        "&lt;!here&gt; &amp;",
    ],
    "html": [
        "<script>alert(1)</script>",
        f'"><img src=https://{EVIL}/x.png onerror=alert(1)>',
        "</td></tr></table><h1>x",
        f"<a href='https://{EVIL}'>click</a>",
        "<!-- ",
        "]]>",
        "&#60;b&#62;",
        "<style>*{display:none}</style>",
    ],
    "markdown": [
        f"[click](https://{EVIL})",
        f"![x](https://{EVIL}/x.png)",
        "# title\n- list\n| a | b |",
        f"[a]: https://{EVIL}",
        "**b** __i__ ~~s~~",
        "<at>ann@example.org</at>",
        f"<https://{EVIL}>",
        "@everyone <@&1234> @**all**",
    ],
    "cards": ["{{DATE(2026-01-01T00:00:00Z)}}", "${$root.secret}", "{{{{TIME(x)}}}}", '","type":"Input.Text","x":"'],
    "templates": [
        "{{ config }}",
        "{% for x in y %}",
        "{name}",
        "{0.__class__}",
        "{{ 7 * 7 }}",
        "%s %(x)s %n",
        "{",
        "}}",
        "{#",
    ],
    "code": [
        "'; DROP TABLE events; --",
        "$(reboot) `reboot` | x",
        "${jndi:ldap://x}",
        "../../etc/passwd",
        "javascript:alert(1)",
    ],
    "values": ["null", "undefined", "NaN", "0", "-1", "1e309", "true", "[object Object]", "1;2", "=1+1", "@SUM(A1)"],
    "scripts": [
        "田中さんにあげて下さい",
        "Ω≈ç√∫µ≤≥÷",
        "İstanbul",
        "ﬀ ﬁ ﷽",
        "ˈʌʃ",
        "ⅠⅡⅢ ①②③",
        "؟ ٠١٢٣",
        "नमस्ते",
        "Ä ß ẞ",
    ],
    "commands": ["1", "STOP", "HELP", "UNSUBSCRIBE", "/remind me", "ack 7"],
}
HOSTILE_NAMES: Sequence[str] = [text for texts in HOSTILE.values() for text in texts]
