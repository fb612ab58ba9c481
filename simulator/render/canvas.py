"""Draw PNG images in pure Python: rectangles, antialiased lines, text in a 5x7 font."""

from __future__ import annotations

import itertools
import struct
import unicodedata
import zlib
from collections.abc import Sequence

Colour = tuple[int, int, int]

# Five bytes per character for its columns, the lowest bit at the top; from space to underscore.
_GLYPHS = bytes.fromhex(
    "0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649552250 0005030000 001c224100 0041221c00"
    "14083e0814 08083e0808 0050300000 0808080808 0060600000 2010080402 3e5149453e 00427f4000 4261514946 2141454b31"
    "1814127f10 2745454539 3c4a494930 0171090503 3649494936 064949291e 0036360000 0056360000 0814224100 1414141414"
    "0041221408 0201510906 324979413e 7e1111117e 7f49494936 3e41414122 7f4141221c 7f49494941 7f09090901 3e4149497a"
    "7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f020c027f 7f0408107f 3e4141413e 7f09090906 3e4151215e"
    "7f09192946 4649494931 01017f0101 3f4040403f 1f2040201f 3f4038403f 6314081463 0708700807 6151494543 007f414100"
    "0204081020 0041417f00 0402010204 4040404040".replace(" ", "")
)


class Canvas:
    """An image in RGB, initially of one colour."""

    def __init__(self, width: int, height: int, paper: Colour = (255, 255, 255)) -> None:
        self.width, self.height = width, height
        self._rows = [bytearray(bytes(paper) * width) for _ in range(height)]

    def box(
        self, left: float, top: float, right: float, bottom: float, colour: Colour, *, fade: Colour | None = None
    ) -> None:
        """Fill a rectangle, with a gradient to the `fade` colour if one is given."""
        x0, x1 = max(0, round(left)), min(self.width, round(right))
        y0, y1 = max(0, round(top)), min(self.height, round(bottom))
        if x1 <= x0:
            return
        for y in range(y0, y1):
            shade = blend(colour, fade, (y - y0) / max(1, y1 - y0)) if fade else colour
            self._rows[y][3 * x0 : 3 * x1] = bytes(shade) * (x1 - x0)

    def area(self, left: int, levels: Sequence[int], bottom: int, colour: Colour, fade: Colour) -> None:
        """Fill the area under a curve, given by its height in each column, with a gradient to the `fade` colour."""
        top = min(levels)
        for y in range(max(0, top), bottom):
            shade = bytes(blend(colour, fade, (y - top) / max(1, bottom - top)))
            row, column = self._rows[y], left
            for under, run in itertools.groupby(levels, key=y.__ge__):
                width = len(list(run))
                if under:
                    row[3 * column : 3 * (column + width)] = shade * width
                column += width

    def dot(self, x: int, y: int, colour: Colour, strength: float) -> None:
        """Blend a colour into one pixel."""
        if 0 <= x < self.width and 0 <= y < self.height and strength > 0:
            row = self._rows[y]
            current = (row[3 * x], row[3 * x + 1], row[3 * x + 2])
            row[3 * x : 3 * x + 3] = bytes(blend(current, colour, min(1.0, strength)))

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: Colour, *, width: float = 2.0) -> None:
        """Draw an antialiased line."""
        (x0, y0), (x1, y1) = start, end
        steps = max(1, round(abs(x1 - x0)))
        for step in range(steps):
            x, y = x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps
            for row in range(int(y - width / 2 - 1), int(y + width / 2 + 2)):
                self.dot(round(x), row, colour, width / 2 + 0.5 - abs(row - y))

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Draw an antialiased filled circle."""
        for row in range(int(y - radius - 1), int(y + radius + 2)):
            for column in range(int(x - radius - 1), int(x + radius + 2)):
                distance = ((column - x) ** 2 + (row - y) ** 2) ** 0.5
                self.dot(column, row, colour, radius + 0.5 - distance)

    def text(self, x: int, y: int, text: str, colour: Colour, *, scale: int = 1) -> None:
        """Draw a text in capitals; characters that the font lacks become question marks."""
        for index, char in enumerate(plain(text)):
            glyph = _GLYPHS[5 * (ord(char) - 32) : 5 * (ord(char) - 32) + 5]
            for column, bits in enumerate(glyph):
                for row in range(7):
                    if bits >> row & 1:
                        left, top = x + (index * 6 + column) * scale, y + row * scale
                        self.box(left, top, left + scale, top + scale, colour)

    def png(self, enlarge: int = 1) -> bytes:
        """Return the image as a PNG, with every pixel repeated `enlarge` times (https://www.w3.org/TR/png/)."""
        lines = []
        for row in self._rows:
            wide = bytearray(len(row) * enlarge)
            for offset in range(3 * enlarge):
                wide[offset :: 3 * enlarge] = row[offset % 3 :: 3]
            lines.append((b"\x00" + bytes(wide)) * enlarge)
        raw = b"".join(lines)
        header = struct.pack(">IIBBBBB", self.width * enlarge, self.height * enlarge, 8, 2, 0, 0, 0)
        chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(raw, 6)), _chunk(b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def blend(one: Colour, other: Colour, share: float) -> Colour:
    """Return the mix of two colours; `share` is that of the other one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def plain(text: str) -> str:
    """Return a text as the font can draw it: in capitals, without accents."""
    bare = "".join(char for char in unicodedata.normalize("NFKD", text.upper()) if not unicodedata.combining(char))
    return "".join(char if 32 <= ord(char) <= 95 else "?" for char in bare)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
