"""The texts the program brings along: the first notice and two automatic answers, as SMS.

All are drafts by machine. They become sendable only as renditions that a named person approved in the system.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from outreach.notices.languages import get

Kind = Literal["notice", "help", "wrong_person"]

_FOLDER = Path(__file__).parent
_KINDS: tuple[Kind, ...] = ("notice", "help", "wrong_person")


@dataclass(frozen=True, slots=True)
class StarterText:
    """A text with ((fields)). `kind` is the notice itself, or the automatic answer to HELP or to "wrong person"."""

    language: str
    channel: Literal["sms"]
    kind: Kind
    text: str
    status: Literal["draft"] = "draft"


def load() -> list[StarterText]:
    """Every starter text, by language and kind. Raises KeyError when a file lacks a text, UnknownLanguageError when its
    language is not in the table."""
    texts = []
    for path in sorted(_FOLDER.glob("*.toml")):
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        language = get(data["language"]).code
        texts += [StarterText(language, "sms", kind, data["sms"][kind]) for kind in _KINDS]
    return texts
