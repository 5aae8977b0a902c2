"""The `((field))` places in a text that staff write, and filling them.

Not a template language on purpose: no conditions, no attributes, nothing that a text could run.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping

from outreach.notices.characters import is_invisible, joins_properly

MAX_VALUE_LENGTH = 200

_FIELD = re.compile(r"\(\(([^()]*)\)\)")
_NAME = re.compile(r"[^\W_][\w \-]{0,39}")
_IGNORED_IN_NAMES = re.compile(r"[\s_\-]+")


class FieldError(ValueError):
    """A text and its values do not fit together."""


class MalformedFieldError(FieldError):
    """A `((` without a plain name and `))` after it."""


class MissingFieldError(FieldError):
    """A text asks for a field that has no value."""


class UnknownFieldError(FieldError):
    """A text asks for a field that this channel does not offer."""


class ValueTooLongError(FieldError):
    """A value is longer than any honest one; it is refused, never cut, because a cut number is a wrong number."""


def name_of(raw: str) -> str:
    """A field's name as it is compared: `((Access Code))`, `((access_code))` and `((ACCESSCODE))` are one field."""
    return _IGNORED_IN_NAMES.sub("", unicodedata.normalize("NFKC", raw)).casefold()


def fields(text: str) -> set[str]:
    """The names of the fields in a text. Raises MalformedFieldError."""
    found: set[str] = set()
    for match in _FIELD.finditer(text):
        raw = match[1].strip()
        if not _NAME.fullmatch(raw):
            raise MalformedFieldError(f"“{match[0]}” is not a field. Write it as two brackets and a name: ((phone)).")
        found.add(name_of(raw))
    rest = _FIELD.sub("", text)
    if "((" in rest or "))" in rest:
        at = max(rest.find("(("), rest.find("))"))
        raise MalformedFieldError(
            f"A double bracket near “{rest[max(at - 15, 0) : at + 15]}” has no partner. Write fields as ((phone))."
        )
    return found


def require_known(text: str, allowed: Collection[str]) -> None:
    """Raises UnknownFieldError when a text uses a field outside the allowed ones, MalformedFieldError when it is misspelt."""
    unknown = fields(text) - {name_of(name) for name in allowed}
    if unknown:
        names = ", ".join(f"(({name}))" for name in sorted(unknown))
        offered = ", ".join(f"(({name}))" for name in sorted(allowed)) or "none"
        raise UnknownFieldError(f"{names} cannot be used here. Fields of this channel: {offered}.")


def clean(value: str) -> str:
    """A value as it may stand in a message: one line, no invisible or direction-changing characters.

    The joiners that Persian and Indic spelling needs stay where spelling puts them. Raises ValueTooLongError.
    """
    normal = unicodedata.normalize("NFKC", value)
    kept = "".join(
        " " if c in "\t\n\r\v\f\x85\u2028\u2029" else c
        for i, c in enumerate(normal)
        if c in "\t\n\r\v\f\x85\u2028\u2029" or not is_invisible(c) or joins_properly(normal, i)
    )
    line = " ".join(kept.split())
    if len(line) > MAX_VALUE_LENGTH:
        raise ValueTooLongError(f"A value has {len(line)} characters; at most {MAX_VALUE_LENGTH} fit into a field.")
    return line


def render(text: str, values: Mapping[str, str]) -> str:
    """The text with every field filled, in one pass: brackets inside a value are never read as a field.

    Values for fields that the text does not use are ignored. Raises MalformedFieldError, MissingFieldError (no value, or
    nothing visible in it) and ValueTooLongError.
    """
    wanted = fields(text)
    cleaned = {name_of(name): clean(value) for name, value in values.items() if name_of(name) in wanted}
    missing = sorted(name for name in wanted if not cleaned.get(name))
    if missing:
        names = ", ".join(f"(({name}))" for name in missing)
        raise MissingFieldError(f"There is no value for {names}.")
    return _FIELD.sub(lambda match: cleaned[name_of(match[1])], text)
