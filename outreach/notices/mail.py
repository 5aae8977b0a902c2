"""From an approved rendition to an e-mail: HTML and a plain text, each written for its reader.

Both come from the same blocks, and both keep phone numbers, codes and web addresses whole and in the order they are read in: in
right-to-left text a bare "1-800-555-0199" is shown as another number (UAX #9).
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from outreach.notices import blocks, fields, languages
from outreach.notices.blocks import Block, BlockKind
from outreach.notices.languages import FIRST_STRONG_ISOLATE, POP_ISOLATE, Language

WIDTH = 72  # columns of the plain text; of a Han character two

LEFT_TO_RIGHT_ISOLATE = "\u2066"
RIGHT_TO_LEFT_MARK = "\u200f"

_TEMPLATES = Path(__file__).parents[2] / "templates" / "mail"

# What is read from left to right in every script: web and mail addresses, codes with a hyphen, and numbers of several groups.
# An isolate that the author set stands as it is, unless it holds just such a thing.
_LTR = (
    r"(?<![\w.+@-])(?:https?://)?(?:[\w.+-]+@)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?:/(?:[!-~]*[\w/=&#-])?)?"
    r"|[A-Z0-9]+(?:-[A-Z0-9]+)+"
    r"|\+?\(?\d[\d().\- ]*\d"
)
_RUN = re.compile(rf"[\u2066-\u2068](?P<typed>[^\u2066-\u2069]*)\u2069|(?P<ltr>{_LTR})", re.ASCII)
_WHOLLY_LTR = re.compile(_LTR, re.ASCII)

# Characters that may not begin a line, and those that may not end one, in Chinese and Japanese.
# https://www.w3.org/TR/clreq/#prohibition_rules_for_line_start_end
_NOT_FIRST = frozenset("、。，．：；！？）」』】》〉〕〗〞”’·…—～％ー々")
_NOT_LAST = frozenset("（「『【《〈〔〖〝“‘")


@dataclass(frozen=True, slots=True)
class RenderedMail:
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a line. `direction` is set where it is isolated: "ltr", or "auto" for what its author isolated."""

    text: str
    direction: Literal["ltr", "auto"] | None = None


@dataclass(frozen=True, slots=True)
class _Stop:
    """What the link that stops e-mails is called, and in which language that is."""

    words: str
    language: Language


def render(subject: str, text: str, language: str, values: Mapping[str, str], stop_url: str) -> RenderedMail:
    """The mail of one reader. `values` fill the ((fields)), and are at least `program`, `phone` and `site`.

    Raises `fields.FieldError` and `languages.UnknownLanguageError`. The same arguments give the same mail.
    """
    spoken = languages.get(language)
    line = _without_isolates(fields.render(subject, values))
    parsed = blocks.parse(fields.render(text, values))
    stop = _stop(spoken)
    signature = " · ".join(fields.clean(values[name]) for name in ("program", "phone", "site"))
    return RenderedMail(
        line, _plain(parsed, spoken, signature, stop, stop_url), _html(line, parsed, spoken, signature, stop, stop_url)
    )


def pieces(line: str) -> tuple[Piece, ...]:
    """A line taken apart into what is isolated and what stands between. Isolates that were typed are gone from the texts."""
    found, end = [], 0
    for match in _RUN.finditer(line):
        found.append(Piece(_without_isolates(line[end : match.start()])))
        inside = match["ltr"] if match["ltr"] is not None else match["typed"]
        found.append(Piece(inside, "ltr" if _WHOLLY_LTR.fullmatch(inside) else "auto"))
        end = match.end()
    found.append(Piece(_without_isolates(line[end:])))
    return tuple(piece for piece in found if piece.text)


def wrap(line: str, width: int = WIDTH) -> list[str]:
    """A line broken at spaces, and between Han characters where their rules allow it, never within a run of `pieces`.

    What has no such place stays whole, however long: a broken web address is no web address.
    """
    lines, current, used = [], "", 0
    for spaced, atom in _atoms(line):
        size = columns(atom)
        gap = 1 if spaced and current else 0
        if current and used + gap + size > width:
            lines.append(current)
            current, used, gap = "", 0, 0
        current += " " * gap + atom
        used += gap + size
    return [*lines, current] if current else lines


def columns(text: str) -> int:
    """How wide a text is in a font of fixed width."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def _atoms(line: str) -> Iterator[tuple[bool, str]]:
    """The smallest parts that a line may be broken into, each with whether a space stands before it."""
    whole = {match.start(): match[0] for match in _RUN.finditer(line)}
    atom, spaced, at = "", False, 0
    while at < len(line):
        step = whole.get(at, line[at])
        if step.isspace():
            if atom:
                yield spaced, atom
            atom, spaced = "", True
        else:
            if atom and _may_break(atom[-1], step[0]):
                yield spaced, atom
                atom, spaced = "", False
            atom += step
        at += len(step)
    if atom:
        yield spaced, atom


def _may_break(before: str, after: str) -> bool:
    wide = unicodedata.east_asian_width(before) in "WF" or unicodedata.east_asian_width(after) in "WF"
    return wide and before not in _NOT_LAST and after not in _NOT_FIRST


def _html(subject: str, parsed: Iterable[Block], language: Language, signature: str, stop: _Stop, stop_url: str) -> str:
    return _template().render(
        subject=subject,
        blocks=[{"kind": block.kind.value, "lines": [pieces(line) for line in block.lines]} for block in parsed],
        language=language,
        signature=pieces(signature),
        stop=stop,
        stop_url=stop_url,
    )


def _plain(parsed: Iterable[Block], language: Language, signature: str, stop: _Stop, stop_url: str) -> str:
    parts = ["\n".join(_plain_block(block, language)) for block in parsed]
    foot = [*wrap(_isolated(signature, language)), *wrap(f"{stop.words}:")]
    parts.append("\n".join(["-- ", *(_directed(line, language) for line in foot), stop_url]))
    return "\n\n".join(parts) + "\n"


def _plain_block(block: Block, language: Language) -> Iterator[str]:
    lines = [_isolated(line, language) for line in block.lines]
    if block.kind is BlockKind.HEADING:
        wrapped = wrap(lines[0])
        yield from (_directed(line, language) for line in wrapped)
        yield "=" * max(columns(line) for line in wrapped)
    elif block.kind is BlockKind.LIST:
        for line in lines:
            first, *rest = wrap(line, WIDTH - 2) or [""]
            yield _directed(f"- {first}", language)
            yield from (_directed(f"  {further}", language) for further in rest)
    else:
        yield from (_directed(line, language) for line in wrap(lines[0]))


def _isolated(line: str, language: Language) -> str:
    """A line for the plain text, with isolates where they are needed: some mail readers draw them as boxes."""
    if language.direction == "ltr":
        return _without_isolates(line)
    opening = {"ltr": LEFT_TO_RIGHT_ISOLATE, "auto": FIRST_STRONG_ISOLATE}
    return "".join(
        f"{opening[piece.direction]}{piece.text}{POP_ISOLATE}" if piece.direction else piece.text for piece in pieces(line)
    )


def _directed(line: str, language: Language) -> str:
    """A broken line is a paragraph of its own to a mail reader: it must not turn because it begins with a Latin word."""
    if language.direction == "ltr":
        return line
    depth = 0
    for c in line:
        if c in "\u2066\u2067\u2068":
            depth += 1
        elif c == POP_ISOLATE:
            depth -= 1
        elif depth == 0 and (bidi := unicodedata.bidirectional(c)) in ("L", "R", "AL"):
            return RIGHT_TO_LEFT_MARK + line if bidi == "L" else line
    return RIGHT_TO_LEFT_MARK + line


def _without_isolates(text: str) -> str:
    return re.sub("[\u2066-\u2069]", "", text)


def _stop(language: Language) -> _Stop:
    words = _stop_words()
    known = language if language.code in words else languages.get("en")
    return _Stop(words[known.code], known)


@cache
def _stop_words() -> dict[str, str]:
    return tomllib.loads(Path(__file__).with_name("mail_stop.toml").read_text(encoding="utf-8"))


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("message.html")
