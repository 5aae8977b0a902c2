"""Composing: what exactly goes to whom, made from the approved text just before it is handed over.

A composer is made once a batch and then makes one message after another. It reads what it needs for the whole batch at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from outreach.access.sealing import DataKey, vault_of
from outreach.campaigns.outcome import Reason
from outreach.delivery.message import body_digest
from outreach.notices import fields, segments
from outreach.notices.house import House
from outreach.providers.contract import Envelope


class Outgoing(Protocol):
    """Whatever a provider carries: a text, a mail or a letter. `token` names our attempt."""

    @property
    def token(self) -> UUID: ...


@dataclass(frozen=True, slots=True)
class Composed:
    """One message as it is handed over. `content` is what is kept of it, sealed under `key`; `sealed_under` is None where that is
    the contact point's. `digest` tells equal content apart from other content in a provider's books.
    """

    envelope: Outgoing
    content: str
    key: DataKey
    sealed_under: UUID | None
    digest: bytes
    segments: int = 1


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a message goes: the opened value of its contact point, and the key that it was opened with.

    `validity`: for how many seconds a carrier may go on trying; 0 where nothing is going to be sent.
    """

    to: str
    key: DataKey
    validity: int = 0


Compose = Callable[[Row[Any], UUID, Destination], Composed | Reason]
"""Makes one message, under the token of its attempt, or says why it cannot be made."""

Composer = Callable[[Session, Sequence[Row[Any]], House], Compose]
"""Made once a batch, from the rows that `READ` gave; this is where it reads whatever else it needs, at once for all of them."""


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    digest: bytes
    segments: int


def texts(session: Session, _rows: Sequence[Row[Any]], house: House) -> Compose:
    """Composes text messages. All of one rendition are the same text, so each is rendered and checked once."""
    vault = vault_of(session)
    rendered: dict[UUID, _Text | None] = {}

    def render(source: str, language: str) -> _Text | None:
        """The text as it will be sent, or None when our own check refuses it."""
        try:
            words = house.render(source)
        except fields.FieldError:
            return None
        if house.findings(words, language):
            return None
        return _Text(words, body_digest(vault, words), segments.count(words).segments)

    def compose(row: Row[Any], token: UUID, destination: Destination) -> Composed | Reason:
        if row.rendition_id not in rendered:
            rendered[row.rendition_id] = render(row.text, row.language)
        words = rendered[row.rendition_id]
        if words is None:
            return Reason.BLOCKED
        envelope = Envelope(token, destination.to, words.text, destination.validity)
        return Composed(envelope, words.text, destination.key, None, words.digest, words.segments)

    return compose
