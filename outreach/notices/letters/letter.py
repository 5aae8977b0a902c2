"""What one letter says, whom it goes to and how it is laid out: everything that its PDF is made from."""

import json
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from outreach.notices.blocks import Block, BlockKind

ENDORSEMENT = "Return Service Requested"
"""USPS brings such a letter back with the reason and the new address, and never forwards it (DMM 507, 1.5)."""

_VERSION = 1


class Layout(StrEnum):
    PERSON = "person"
    ATTORNEY = "attorney"
    HAND = "hand"  # handed over sealed by an officer: without an endorsement for the post


class UnknownVersion(ValueError):
    """Stored content was written by a newer program than this one."""


@dataclass(frozen=True, slots=True)
class LetterText:
    """The notice in one language. The language's direction and script come from the table of languages."""

    language: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class LetterContent:
    """One letter. `recipient` and `sender` are address blocks from the name down, as they show in the windows.

    `texts`: the person's language first; each begins on a new page. `marking`: its first line ("LEGAL MAIL") stands above the
    recipient, the others (title and office of the sender) above the sender. `return_code` is scanned from returned mail without
    opening it, so it must not be a secret; `access_code` is one, and stands inside only. `site` has no scheme.
    `taglines` adds the sheet that says in every language that the letter is important.
    """

    layout: Layout
    recipient: tuple[str, ...]
    sender: tuple[str, ...]
    written: date
    texts: tuple[LetterText, ...]
    site: str
    phone: str
    reference: str
    return_code: str
    access_code: str | None = None
    marking: tuple[str, ...] = ()
    taglines: bool = False
    large_print: bool = False
    duplicate: bool = False


def as_json(content: LetterContent) -> str:
    """The content as text, for keeping sealed: `from_json` gives it back, and so the very same PDF can be made again."""
    return json.dumps({"version": _VERSION, **asdict(content), "written": content.written.isoformat()}, ensure_ascii=False)


def from_json(text: str) -> LetterContent:
    """Raises UnknownVersion, and KeyError or ValueError for what `as_json` never wrote."""
    data: dict[str, Any] = json.loads(text)
    if data.pop("version") != _VERSION:
        raise UnknownVersion("This letter's content was kept by a newer version of the program. Update the program.")
    lists = {name: tuple(data[name]) for name in ("recipient", "sender", "marking")}
    texts = tuple(
        LetterText(each["language"], tuple(Block(BlockKind(b["kind"]), tuple(b["lines"])) for b in each["blocks"]))
        for each in data["texts"]
    )
    return LetterContent(
        **{**data, **lists, "layout": Layout(data["layout"]), "written": date.fromisoformat(data["written"]), "texts": texts}
    )
