"""The little structure that an e-mail or a letter has: headings, paragraphs and lists, from plain text that staff can write.

    # A heading

    A paragraph; its lines are joined,
    as far as the next blank line.

    - one point
    - another

Not Markdown on purpose: nothing else means anything, so that no text can become something its reviewer did not see.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class BlockKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Block:
    """`lines` holds one text, or the points of a list."""

    kind: BlockKind
    lines: tuple[str, ...]


def parse(text: str) -> tuple[Block, ...]:
    """The blocks of a text, in order. Any text has some reading: there is nothing to get wrong."""
    blocks = []
    for chunk in re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip()):
        lines = [line.strip() for line in chunk.split("\n") if line.strip()]
        while lines and lines[0].startswith("# "):
            blocks.append(Block(BlockKind.HEADING, (lines.pop(0)[2:].strip(),)))
        if not lines:
            continue
        if lines[0].startswith("- "):
            points: list[str] = []
            for line in lines:
                if line.startswith("- "):
                    points.append(line[2:].strip())
                else:
                    points[-1] += f" {line}"
            blocks.append(Block(BlockKind.LIST, tuple(points)))
        else:
            blocks.append(Block(BlockKind.PARAGRAPH, (" ".join(lines),)))
    return tuple(blocks)
