"""Finding a person by name, A-number, phone or e-mail.

The three numbers are found by blind index. Names have none (too few values to hide behind a hash), so a search by name opens
every name once, a batch at a time, and keeps only who fits. Either way the search is in the audit log before it is made, without
its words.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.sealing import DataKey, vault_of
from outreach.people.contact import ContactKind, ContactPoint, PersonContact
from outreach.people.file import Reader
from outreach.people.person import ANumber
from outreach.people.roster.phones import parse_phones
from outreach.people.roster.problems import BadValueError
from outreach.people.roster.values import parse_a_number, parse_emails

MOST = 20
SHORTEST = 3  # letters of a name; two where the script writes words, not sounds
BATCH = 1000


class By(StrEnum):
    NAME = "name"
    A_NUMBER = "a_number"
    PHONE = "phone"
    EMAIL = "email"


class TooShort(Exception):
    """A name needs at least three letters, or it fits half of everybody."""


class NotANumber(Exception):
    """What was typed is no A-number, phone number or e-mail address."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search that is in the audit log. `supervises`: protected people are found by name as well."""

    by: By
    words: str
    supervises: bool


@dataclass(frozen=True, slots=True)
class Hits:
    """At most MOST people; `more` when others fit as well."""

    people: tuple[UUID, ...]
    more: bool


def ask(session: Session, by: By, typed: str, *, reader: Reader) -> Search:
    """Write the search down, as its kind only. Raises TooShort or NotANumber; then nothing was searched."""
    words = _normalised(by, typed)
    audit.record(session, reader.actor, "person.search", "person", by=by)
    return Search(by, words, reader.supervises)


def run(session: Session, search: Search) -> Hits:
    """Do it, after `ask` was committed."""
    match search.by:
        case By.NAME:
            return _by_name(session, search)
        case By.A_NUMBER:
            index = vault_of(session).blind_index("a_number", search.words)
            found = session.scalars(select(ANumber.person_id).where(ANumber.value_index == index))
        case kind:
            index = vault_of(session).blind_index(kind, search.words)
            found = session.scalars(
                select(PersonContact.person_id)
                .join(ContactPoint)
                .where(ContactPoint.kind == ContactKind(kind), ContactPoint.value_index == index)
                .order_by(PersonContact.person_id)
                .limit(MOST + 1)
            )
    people = tuple(found)
    return Hits(people[:MOST], len(people) > MOST)


def folded(name: str) -> str:
    """A name as it is compared: no accents, no case, words parted by single spaces, and a space before the first."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return " " + " ".join(_JOINERS.sub("", plain).casefold().translate(_LETTERS).split())


def words_of(typed: str) -> str:
    """A name to search for, folded. Raises TooShort."""
    words = folded(typed[:200])
    letters = [c for c in words if c.isalpha()]
    if len(letters) < (2 if any(unicodedata.category(c) == "Lo" for c in letters) else SHORTEST):
        raise TooShort
    return words


def fits(words: str, name: str) -> bool:
    """Each word of `words_of` begins a word of the name; in scripts that do not part words, it may stand anywhere in it."""
    name = folded(name)
    return all((word if not word.isascii() else f" {word}") in name for word in words.split())


_JOINERS = re.compile(r"['’‘ʼʻ`´\u0640\u200b-\u200f]")  # O'Brien is found as obrien; Arabic tatweel only stretches a word
_LETTERS = str.maketrans({"-": " ", "‐": " ", "–": " ", ",": " ", ".": " ", "ı": "i", "ł": "l", "ø": "o", "đ": "d"})


def _normalised(by: By, typed: str) -> str:
    if by is By.NAME:
        return words_of(typed)
    try:
        match by:
            case By.A_NUMBER:
                return parse_a_number(typed)
            case By.PHONE:
                (phone,) = parse_phones(typed)
                return phone.e164
            case By.EMAIL:
                (address,) = parse_emails(typed)
                return address
    except (BadValueError, ValueError):  # unreadable, or none, or two of them
        raise NotANumber from None


_NAMES = text("""
    select n.id, n.person_id, n.whole_sealed, k.version, k.wrapped
    from person_name n join data_key k on k.subject_id = n.person_id join person p on p.id = n.person_id
    where :supervises or not p.protected
    order by n.person_id
""")


def _by_name(session: Session, search: Search) -> Hits:
    vault = vault_of(session)
    people: dict[UUID, None] = {}
    key: DataKey | None = None
    with session.execute(_NAMES, {"supervises": search.supervises}, execution_options={"yield_per": BATCH}) as rows:
        for name_id, person_id, sealed, version, wrapped in rows:
            if key is None or person_id != key.subject:  # A person's names come one after another, and share a key.
                key = vault.open_key(person_id, version, wrapped)
            if fits(search.words, key.open("person_name.whole", name_id, sealed)):
                people[person_id] = None
                if len(people) > MOST:
                    break
    found = tuple(people)
    return Hits(found[:MOST], len(found) > MOST)
