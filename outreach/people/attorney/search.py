"""Finding an attorney by EOIR ID, bar number or e-mail address (by blind index), or by name (each opened once).

Either way the search is in the audit log before it is made, without its words.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.sealing import vault_of
from outreach.people.attorney import SEALED, Attorney, Clue
from outreach.people.attorney.particulars import parse_bar_number, parse_bar_state, parse_email, parse_eoir_id
from outreach.people.contact import ContactKind, ContactPoint
from outreach.people.file import Reader
from outreach.people.roster.problems import BadValueError
from outreach.people.search import BATCH, MOST, NotANumber, fits, words_of


class By(StrEnum):
    NAME = "name"
    EOIR_ID = "eoir_id"
    BAR = "bar"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Search:
    """A search that is in the audit log."""

    by: By
    words: str


@dataclass(frozen=True, slots=True)
class Hits:
    """At most MOST attorneys; `more` when others fit as well."""

    attorneys: tuple[UUID, ...]
    more: bool


def ask(session: Session, by: By, typed: str, *, reader: Reader) -> Search:
    """Write the search down, as its kind only. Raises TooShort or NotANumber; then nothing was searched."""
    words = words_of(typed) if by is By.NAME else _number(by, typed)
    audit.record(session, reader.actor, "attorney.search", "attorney", by=by)
    return Search(by, words)


def run(session: Session, search: Search) -> Hits:
    """Do it, after `ask` was committed."""
    vault = vault_of(session)
    match search.by:
        case By.NAME:
            return _by_name(session, search.words)
        case By.EOIR_ID:
            return _where(session, Attorney.eoir_id_index == vault.blind_index(Clue.EOIR_ID, search.words))
        case By.BAR:
            return _where(session, Attorney.bar_index == vault.blind_index(Clue.BAR, search.words))
        case By.EMAIL:
            index = vault.blind_index(ContactKind.EMAIL, search.words)
            points = select(ContactPoint.id).where(ContactPoint.kind == ContactKind.EMAIL, ContactPoint.value_index == index)
            return _where(session, Attorney.email_point_id.in_(points))


def _number(by: By, typed: str) -> str:
    try:
        match by:
            case By.EOIR_ID:
                return parse_eoir_id(typed)
            case By.EMAIL:
                return parse_email(typed)
            case _:
                state, _, number = typed.strip().partition(" ")
                return f"{parse_bar_state(state)}:{parse_bar_number(number)}"
    except BadValueError:
        raise NotANumber from None


def _where(session: Session, condition: ColumnElement[bool]) -> Hits:
    found = tuple(session.scalars(select(Attorney.id).where(condition).order_by(Attorney.id).limit(MOST + 1)))
    return Hits(found[:MOST], len(found) > MOST)


_NAMES = text("""
    select a.id, a.name_sealed, a.firm_sealed, k.version, k.wrapped
    from attorney a join data_key k on k.subject_id = a.id order by a.id
""")


def _by_name(session: Session, words: str) -> Hits:
    """The words may be of the name or of the firm."""
    vault = vault_of(session)
    found: list[UUID] = []
    with session.execute(_NAMES, execution_options={"yield_per": BATCH}) as rows:
        for attorney_id, name_sealed, firm_sealed, version, wrapped in rows:
            key = vault.open_key(attorney_id, version, wrapped)
            name = key.open(SEALED["name"], attorney_id, name_sealed)
            firm = key.open(SEALED["firm"], attorney_id, firm_sealed) if firm_sealed else ""
            if fits(words, f"{name} {firm}"):
                found.append(attorney_id)
                if len(found) > MOST:
                    break
    return Hits(tuple(found[:MOST]), len(found) > MOST)
