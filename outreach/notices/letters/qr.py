"""QR codes as runs of dark modules, which the layouts draw as one shape."""

from typing import TypedDict

import segno


class Drawing(TypedDict):
    """`size`: modules on a side. `runs`: [column, row, length] of the dark ones. A margin of four modules must stay empty."""

    size: int
    runs: list[list[int]]


def draw(text: str) -> Drawing:
    """At error level M, which survives a fold and a stain."""
    rows = [bytes(row) for row in segno.make_qr(text, error="m", boost_error=False).matrix]
    runs = []
    for y, row in enumerate(rows):
        x = 0
        while (x := row.find(1, x)) >= 0:
            end = row.find(0, x) if 0 in row[x:] else len(row)
            runs.append([x, y, end - x])
            x = end
    return {"size": len(rows), "runs": runs}
