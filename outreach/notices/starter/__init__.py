"""The texts the program brings along, a file per language: the notice by SMS, e-mail and letter, the automatic answers, and
the words of the receipt for a letter that an officer hands over.

All are drafts by machine. They become sendable only as renditions that a named person approved in the system.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from outreach.notices.languages import get

Kind = Literal["notice", "help", "wrong_person"]
Channel = Literal["sms", "email", "letter", "attorney_email", "attorney_letter"]

_FOLDER = Path(__file__).parent
_KINDS: tuple[Kind, ...] = ("notice", "help", "wrong_person")


@dataclass(frozen=True, slots=True)
class Shipped:
    """A text with ((fields)). `kind` is the notice itself, or the automatic answer to HELP or to "wrong person".

    `subject` is of e-mails only. `text` is in `notices.blocks` but for SMS; the first heading of a letter is its title.
    """

    kind: Kind
    channel: Channel
    language: str
    subject: str | None
    text: str


def load() -> list[Shipped]:
    """Every text, by language. Raises KeyError when a file lacks one, UnknownLanguageError when its language is not in the
    table."""
    return [text for code, data in _files() for text in _texts(code, data)]


def _files() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(_FOLDER.glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        yield get(data["language"]).code, data


def _texts(code: str, data: dict[str, Any]) -> Iterator[Shipped]:
    for kind in _KINDS:
        yield Shipped(kind, "sms", code, None, data["sms"][kind])
    for kind in _KINDS:
        yield Shipped(kind, "email", code, data["email"][kind]["subject"], data["email"][kind]["text"].strip())
