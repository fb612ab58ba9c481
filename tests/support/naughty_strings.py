"""Texts that break programs when they are used as names: markup, code, control characters, unusual scripts, numbers.

The classes are those of the lists that testers use. Families such as "a scheme with a control character within" are
complete. None contains NUL or half of a surrogate pair, which databases refuse; the receiver's tests have those.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator

RESERVED = (
    *("undefined", "undef", "null", "NULL", "(null)", "nil", "NIL", "None", "true", "false", "True", "FALSE", "then"),
    *("constructor", "__proto__", "hasOwnProperty", "toString", "valueOf", "hasattr", "self", "this", "NaN", "inf"),
    *("\\", "\\\\", "/", "//", "..", ".", "-", "--", "---", "'", '"', "`", "''", '""', "'\"'", "%", "%%", "&", "&amp;"),
    *("CON", "PRN", "AUX", "NUL", "CLOCK$", "COM1", "LPT1", "A:", "ZZ:", "desktop.ini", ".htaccess", "index.php"),
    *("@version@", 'data-version="@version@"', "@", "#", "?", "?x=1", "#main", "*", "**", "[a-z]", "[!a]", "^$", "|"),
)
NUMBERS = (
    *("0", "1", "-1", "+1", "00", "1.00", "$1.00", "1/2", "1E2", "1E+308", "1e309", "-0", "-0.0", "0x0", "0xffffffff"),
    *("0b1", "0o7", "1_000", "1,000.00", "1 000,00", "1'000", "01000", "08", "2147483648", "-2147483649", "4294967296"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "9" * 96, "0." + "3" * 60, "1/0", "0/0"),
    *("Infinity", "-Infinity", "INF", "1#INF", "-1#IND", "1#QNAN", "1#SNAN", "1E02", "..0", "0..0", "0,,0", "--1"),
    *("\u0661\u0662\u0663", "\u06f1\u06f2\u06f3", "\u4e00\u4e8c", "\u2160\u2161", "\u00bd", "\u00b2", "\U0001d7d8"),
)
SCRIPTS = (
    "\u03a9\u2248\u00e7\u221a\u222b\u02dc\u00b5\u2264\u2265\u00f7",
    "\u00e5\u00df\u2202\u0192\u00a9\u02d9\u2206\u02da\u00ac\u2026\u00e6",
    "\u0401\u0402\u0403\u0404\u0405\u0406\u0407\u0408\u0409\u040a\u040b",
    "\u00c5\u00cd\u00ce\u00cf\u02dd\u00d3\u00d4\u00d2\u00da\u00c6\u2603",
    "\u2070\u2074\u2075\u2080\u2081\u2082",
    "\u0e14\u0e49\u0e49\u0e49\u0e49\u0e49\u0e47\u0e47\u0e47\u0e47\u0e47\u0e49\u0e49\u0e49",
    "\u7530\u4e2d\u3055\u3093\u306b\u3042\u3052\u3066\u4e0b\u3055\u3044",
    "\u793e\u6703\u79d1\u5b78\u9662\u8a9e\u5b78\u7814\u7a76\u6240",
    "\uc6b8\ub780\ubc14\ud1a0\ub974",
    "\U0002070e\U00020731\U00020779\U00020c53",
    "\u023a\u023e",
    "\u0130I\u0131i",
    "\u1e9e\ufb01\ufb03",
    "\uff08\uff61\u25d5 \u2200 \u25d5\uff61\uff09",
    "\u0669(-\u032e\u032e\u0303-\u0303)\u06f6",
    "\u30fd\u0f3c\u0e88\u0644\u035c\u0e88\u0f3d\uff89",
    "\U0001f60d\U0001f635\U0001f4a9",
    "\U0001f469\U0001f3fd\u200d\U0001f680",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\u2764\ufe0f\U0001f494",
    "0\ufe0f\u20e3 #\ufe0f\u20e3",
    "\U0001f1fa\U0001f1f8\U0001f1f7\U0001f1fa",
    "\U0001f1e6",
    "\U0001f3f4\U000e0067\U000e0062\U000e007f",
    "\u05d1\u05b0\u05bc\u05e8\u05b5\u05d0\u05e9\u05b4\u05c1\u05d9\u05ea",
    "\u0645\u064f\u0646\u064e\u0627\u0642\u064e\u0634\u064e\u0629\u064f \u0633\u064f\u0628\u064f\u0644\u0650",
    "\ufdfd\ufdfa",
    "\u0627\u0644\u0643\u0644 \u0641\u064a \u0627\u0644\u0645\u062c\u0645\u0648\u0639\u0629 (5) abc",
    "\u202etxt.exe",
    "\u2066 isolated \u2067",
    "\u202a\u202atest\u202a",
    "\u2028line\u2029paragraph\u2028",
    "\ufeffbyte order mark",
    "\ufffe\uffff",
    "\u200bzero\u200bwidth\u2060",
    "soft\u00adhyphen",
    "\u115f\u1160\u3164\uffa0",
    "\u1680ogham\u1680space",
    "\u180emongolian",
    "\ue000private\uf8ff",
    "\u0295\u2022\u1d25\u2022\u0294",
    "\u02d9\u0250nb\u1d09l\u0250 \u0250u\u0183\u0250\u026f",
    "\U0001d413\U0001d421\U0001d41e \U0001d4ba\U0001d4fe",
    "\u24af\u24a3\u24a0 \uff34\uff48\uff45",
    "Z" + "\u0334\u0321\u0322\u0349\u0348\u0347" * 8 + "algo",
    "e" + "\u0301" * 200,
    "\u0b95\u0bcd\u0bb7 \u0c1c\u0c4d\u0c1e\u0c3e",
    "\u062c\u0651\u0629\u0635\u0628\u0b00",
    "\u1019\u103c\u1014\u103a\u1019\u102c",
    "Power \u0644\u064f\u0644\u064f\u0635\u0651\u0628\u064f\u0644\u064f\u0644\u0635\u0651",
    *("A" * 300, "long " * 60, "W" * 120, "i" * 250, "\u8a9e" * 150, "\U0001f4a9" * 60, "a/" * 100, "a\u00a0" * 90),
)
INJECTIONS = (
    *("{{ 7 * 7 }}", "{% raw %}", "{% endblock %}", "{# comment #}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{0}", "{!r}"),
    *("%s%s%s%n", "%d", "%x", "%*.*s", "{{config}}", "{{ ''.__class__.__mro__ }}", "$HOME", "%HOME%", "$(touch x)"),
    *(
        "`touch x`",
        "| ls",
        "; ls",
        "&& ls",
        "> x",
        "\n/bin/ls",
        "eval('1')",
        "System('ls')",
        "Kernel.exit(1)",
        "@{[1]}",
    ),
    *("1;DROP TABLE events", "1'; DROP TABLE events-- 1", "' OR 1=1 -- 1", "' OR '1'='1", "'; EXEC sp_MSForEachTable"),
    *("%' AND 1=0 --", "_%_", "\\%", "a' UNION SELECT NULL--", "1) OR (1=1", "pg_sleep(9)--", "$$", "$1", ":name"),
    *("../../../../etc/passwd", "..\\..\\windows\\win.ini", "/dev/null; touch x ; echo", "file:///etc/passwd"),
    *("() { 0; }; touch x", "() { _; } >_[$($())] { touch x; }", "<<< %s(un='%s') = %u", "+++ATH0", "DCC SEND START"),
    '<?xml version="1.0"?><!DOCTYPE foo [ <!ELEMENT foo ANY ><!ENTITY x SYSTEM "file:///etc/passwd" >]><foo>&x;</foo>',
    '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;&b;">]><a>&d;</a>',
    *(
        "\x1b[31mred",
        "\x1b[2J\x1b[1;1H",
        "\x1b]0;title\x07",
        "\x07bell",
        "a\bb",
        "a\rb",
        "a\r\nSet-Cookie: x=1",
        "\x9b31m",
    ),
    *(
        "=1+1",
        "=cmd|' /C calc'!A0",
        "@SUM(1+1)",
        "+1+1",
        "-1+1",
        "\t=1",
        "*bold* _it_ ~no~ `code`",
        "<!channel>",
        "<@U1>",
    ),
    *(
        "<https://evil.example|click>",
        "[click](javascript:alert(1))",
        "![x](https://evil.example/x.png)",
        "mailto:a@b.example",
    ),
    *(
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "data:text/html,<script>alert(1)</script>",
        "blob:x",
    ),
    *(
        "If you read this, you have been in a coma.",
        "Scunthorpe",
        "Penistone",
        "Lightwater",
        "Mr. Null",
        "O'Brien",
        "D'Arcy",
    ),
)
PAYLOADS = (
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg/onload=alert`1`//",
    "<iframe src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<math><mi//xlink:href=data:x,alert(1)>",
    "<style>*{display:none}</style>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0>",
    "<form action=//evil.example><button>",
    "<plaintext>",
)
# Each ends another part of a page before the payload.
CONTEXTS = (
    "",
    '">',
    "'>",
    "</title>",
    "</textarea>",
    "</script>",
    "</style>",
    "</svg>",
    "--><!-- -->",
    "]]>",
    "</pre>",
)
ATTRIBUTES = ("onmouseover", "onfocus", "onclick", "autofocus onfocus", "style", "formaction", "srcdoc")
QUOTES = ("' ", '" ', "` ", "'\t", '"\n', "'/", '"/', "\u2018 ", "\uff02 ", "&#39; ", "&quot; ")
CONTROLS = tuple(chr(code) for code in [*range(1, 32), 0x7F, *range(0x80, 0xA0)])


def _all() -> Iterator[str]:
    yield from (*RESERVED, *NUMBERS, *SCRIPTS, *INJECTIONS)
    yield from (f"{context}{payload}" for payload, context in itertools.product(PAYLOADS, CONTEXTS))
    yield from (f"{quote}{name}=alert(1) x=" for name, quote in itertools.product(ATTRIBUTES, QUOTES))
    yield from (f"java{character}script:alert(1)" for character in CONTROLS)
    yield from (f"<img{character}src=x{character}onerror=alert(1)>" for character in "\t\n\x0b\x0c\r /\xa0")
    # Everything that Unicode calls a space or a formatting character.
    spaces = (chr(code) for code in range(0x80, 0x3100) if unicodedata.category(chr(code)) in {"Zs", "Cf", "Zl", "Zp"})
    yield from (f"a{character}b" for character in spaces)


NAUGHTY_STRINGS = tuple(dict.fromkeys(_all()))
