"""The texts the program brings along, a file per language: the notice by SMS, e-mail and letter, the automatic answers, and
the words of the receipt for a letter that an officer hands over.

All are drafts by machine. They become sendable only as renditions that a named person approved in the system.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from outreach.notices.channel import Channel
from outreach.notices.languages import get

Kind = Literal["notice", "help", "wrong_person"]

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


@dataclass(frozen=True, slots=True)
class Receipt:
    """The words of the receipt in one language. The first three are sentences to be ticked, the others stand beside lines."""

    received: str
    explained: str
    refused: str
    name: str
    date: str
    signature: str
    thumb_print: str


def load() -> list[Shipped]:
    """Every text, by language. Raises KeyError when a file lacks one, UnknownLanguageError when its language is not in the
    table."""
    return [text for code, data in _files() for text in _texts(code, data)]


def receipts() -> dict[str, Receipt]:
    """The words of the receipt, by language. Raises as `load` does, and TypeError when a file has another word in it."""
    return {code: Receipt(**data["receipt"]) for code, data in _files()}


def _files() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(_FOLDER.glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        yield get(data["language"]).code, data


def _texts(code: str, data: dict[str, Any]) -> Iterator[Shipped]:
    for kind in _KINDS:
        yield Shipped(kind, Channel.SMS, code, None, data["sms"][kind])
        yield _long(kind, Channel.EMAIL, code, data["email"][kind])
    yield _long("notice", Channel.LETTER, code, data["letter"])
    if code == "en":  # attorneys are written to in English only
        yield _long("notice", Channel.ATTORNEY_EMAIL, code, data["attorney_email"])
        yield _long("notice", Channel.ATTORNEY_LETTER, code, data["attorney_letter"])


def _long(kind: Kind, channel: Channel, code: str, data: dict[str, str]) -> Shipped:
    return Shipped(kind, channel, code, data["subject"] if channel.is_mail else None, data["text"].strip())
