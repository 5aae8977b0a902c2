"""One cell to one value: A-numbers, names, e-mail addresses, yes and no.

Each function returns the value or raises BadValueError, whose code says how to mend the cell. Callers skip blank cells.
"""

import re
import unicodedata

from outreach.people.roster.problems import BadValueError, Fault

NAME_LENGTH = 200
_SEPARATORS = re.compile(r"[/;,|&\n\r]+|\s+(?:and|y|or|o)\s+", re.IGNORECASE)
_A_NUMBER = re.compile(r"(?:alien|uscis|a)?\s*(?:number|no|num|file|registration)?[\s.:#-]*(\d[\d\s.-]*)", re.IGNORECASE)
_NOT_DIGIT = re.compile(r"\D+")
_AS_FLOAT = re.compile(r"(\d+)\.0+")
_SCIENTIFIC = re.compile(r"(\d)(?:[.,](\d+))?[eE]\+?(\d{1,2})")
_SPACES = re.compile(r"\s+")
# Marks that only steer the direction of what is around them. Spreadsheets and address books add them to copied text,
# they belong to no name, and in a name they could turn the line around it.
_DIRECTION_MARKS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF))
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—−﹘﹣－"), "-")
_FULL_WIDTH = {ord("＃"): "#", ord("．"): ".", ord("Ａ"): "A", ord("ａ"): "a", ord("А"): "A", 0x3000: " ", 0xFF0B: "+"}
_EMAIL = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@([^\s@<>()\[\]\\,;:\"/]{1,253})")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SPREADSHEET_ERRORS = frozenset(
    {"#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#ERROR!", "########", "#SPILL!", "#CALC!"}
)


def clean(text: str) -> str:
    """The cell as it is kept: composed (NFC), without direction marks, spaces at its ends and doubled spaces.

    Raises BadValueError for control characters, characters that an earlier export lost, and spreadsheet errors.
    """
    if text.isascii() and text.isprintable():
        text = " ".join(text.split())
    else:
        text = unicodedata.normalize("NFC", text).translate(_DIRECTION_MARKS)
        if "\ufffd" in text:
            raise BadValueError(Fault.DAMAGED_CHARACTERS)
        text = _SPACES.sub(" ", text).strip()
        if any(unicodedata.category(letter) in {"Cc", "Cs", "Co", "Cn"} for letter in text):
            raise BadValueError(Fault.CONTROL_CHARACTERS)
    if text.startswith("#") and text.upper() in _SPREADSHEET_ERRORS:
        raise BadValueError(Fault.SPREADSHEET_ERROR)
    return text


def western_digits(text: str) -> str:
    """The text with the digits 0-9 for those of any script, and plain signs for full-width ones."""
    if text.isascii():
        return text
    text = text.translate(_DASHES).translate(_FULL_WIDTH)
    return "".join(str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in text)


def restore_number(text: str) -> str:
    """Undo what a spreadsheet program did to a long number: `12345678.0`, `1.2025550101E+10`.

    Raises BadValueError when it rounded, because the digits that are gone would be somebody else's number.
    """
    if whole := _AS_FLOAT.fullmatch(text):
        return whole.group(1)
    if rounded := _SCIENTIFIC.fullmatch(text):
        first, rest, exponent = rounded.group(1), rounded.group(2) or "", int(rounded.group(3))
        # Excel shows six digits, and trailing zeros then stand for digits it dropped.
        if len(rest) < exponent:
            raise BadValueError(Fault.DIGITS_LOST)
        return first + rest[:exponent]
    return text


def parse_a_number(text: str) -> str:
    """An A-number as it is stored: `A` and nine digits, zeros first. Accepts 7 to 9 digits in any usual spelling.

    There is no check digit, and a wrong digit is another real person: nothing but signs and zeros in front may change.
    """
    plain = restore_number(western_digits(clean(text)))
    found = _A_NUMBER.fullmatch(plain)
    if found is None:
        raise BadValueError(Fault.A_NUMBER_UNREADABLE)
    digits = _NOT_DIGIT.sub("", found.group(1))
    if not 7 <= len(digits) <= 9:
        raise BadValueError(Fault.A_NUMBER_LENGTH, found=len(digits))
    if not digits.strip("0"):
        raise BadValueError(Fault.A_NUMBER_PLACEHOLDER)
    return "A" + digits.zfill(9)


def parse_a_numbers(text: str) -> tuple[str, ...]:
    """All A-numbers of one cell, each once, in order."""
    if text.isalnum():
        return (parse_a_number(text),)
    return tuple(dict.fromkeys(parse_a_number(part) for part in _SEPARATORS.split(text) if part.strip()))


def display_a_number(canonical: str) -> str:
    """`A012345678` as people write it: `A012-345-678`."""
    return f"{canonical[:4]}-{canonical[4:7]}-{canonical[7:]}"


def parse_name(text: str) -> str:
    """A name or part of one, exactly as recorded but for spaces. `FNU`, single letters and `=names` are names too."""
    name = clean(text)
    if len(name) > NAME_LENGTH:
        raise BadValueError(Fault.NAME_TOO_LONG, found=len(name), limit=NAME_LENGTH)
    if not any(letter.isalpha() for letter in name):
        raise BadValueError(Fault.NAME_WITHOUT_LETTERS)
    return name


def parse_emails(text: str) -> tuple[str, ...]:
    """All addresses of one cell, in lower case, with domains in their ASCII form."""
    parts = [part.removeprefix("mailto:") for part in re.split(r"[\s;,|]+|(?<=\w)/(?=\w)", clean(text)) if part]
    return tuple(dict.fromkeys(_email(part.strip("<>")) for part in parts))


def _email(text: str) -> str:
    found = _EMAIL.fullmatch(text)
    if found is None:
        raise BadValueError(Fault.EMAIL_INVALID)
    local = text[: found.start(1) - 1].lower()
    domain = found.group(1).lower()
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise BadValueError(Fault.EMAIL_INVALID) from None
    labels = domain.split(".")
    sane = len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()
    if not sane or local.startswith(".") or local.endswith(".") or ".." in local:
        raise BadValueError(Fault.EMAIL_INVALID)
    return f"{local}@{domain}"


_YES = frozenset({"yes", "y", "true", "t", "1", "si", "s", "sí", "verdadero", "x", "✓"})
_NO = frozenset({"no", "n", "false", "f", "0", "falso"})
_NOT_KNOWN = frozenset({"unknown", "unk", "desconocido", "n/a", "na", "?", "-", "not known", "no se sabe", "u"})


def parse_yes_or_no(text: str) -> bool | None:
    """True, False, or None for words that say it is not known."""
    word = clean(text).casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    if not word or word in _NOT_KNOWN:
        return None
    raise BadValueError(Fault.YES_OR_NO)
