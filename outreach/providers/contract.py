"""What a provider does for us, whichever it is: send a text, a mail or a letter, say what became of it, read its callbacks."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, Self, TypeVar
from uuid import UUID


class Verdict(StrEnum):
    """What a call to a provider came to."""

    ACCEPTED = "accepted"  # it has the text and gave it an id; delivered is another matter
    REFUSED = "refused"  # it said no, and keeps nothing
    NOT_SENT = "not_sent"  # the request never left us
    UNKNOWN = "unknown"  # no usable answer: it may have the text


class Refusal(StrEnum):
    """Why a provider refused a text or failed to deliver it, and so what is to be done."""

    OPTED_OUT = "opted_out"  # the phone has said STOP to this sender
    BAD_ADDRESS = "bad_address"  # it will never receive a text
    NO_ROUTE = "no_route"  # the provider does not send to its country, or not for us
    TRANSIENT = "transient"  # worth trying again later
    BACK_OFF = "back_off"  # we are too fast: the same text again, later
    FILTERED = "filtered"  # the carrier takes us for spam: stop the step, call a human
    UNREGISTERED = "unregistered"  # the carriers do not know our sender: stop everything by it, call the operator
    CONFIGURATION = "configuration"  # our account or sender is wrong: stop everything, call the operator
    REVIEW = "review"  # a human must look


@dataclass(frozen=True, slots=True)
class Envelope:
    """One text on its way out. `token` names our attempt and comes back in the callback's address; `to` is E.164.

    `validity`: after so many seconds it must not be delivered any more.
    """

    token: UUID
    to: str
    text: str
    validity: int


_MAILBOX = re.compile(r"[^\s@,;:<>()\[\]\"\\\\]+@[^\s@,;:<>()\[\]\"\\\\]+\.[^\s@,;:<>()\[\]\"\\\\.]+")


class NotOneMailbox(ValueError):
    """A value is not exactly one plain e-mail address. The value itself is not in the text, since it may be one."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Exactly one e-mail address, without a name, a comment or a second address. Raises NotOneMailbox.

    That a mail goes to one recipient is thereby a matter of type: https://publictechnology.net/2023/12/13/ tells what a list costs.
    """

    address: str

    def __post_init__(self) -> None:
        if len(self.address) > 254 or not _MAILBOX.fullmatch(self.address):
            raise NotOneMailbox


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail on its way out, to one mailbox. `token` names our attempt and is all that the provider learns of it.

    `text` and `html` say the same, each written for its reader. `reply_to` and `unsubscribe_url` carry signed tokens of ours.
    """

    token: UUID
    to: Mailbox
    subject: str
    text: str
    html: str
    language: str
    reply_to: Mailbox
    unsubscribe_url: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter on its way out, ready to print. `recipient` is the address block from the name down; `country` an ISO code."""

    token: UUID
    recipient: tuple[str, ...]
    country: str
    pdf: bytes
    pages: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of sending one envelope. `code` is the provider's own; `retry_after` is in seconds, where it said so."""

    token: UUID
    verdict: Verdict
    provider_id: str | None = None
    code: str | None = None
    refusal: Refusal | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a provider's books say of one thing sent. `status` is its own word, `state` ours (an `AttemptState` value).

    `token` is set where its books keep ours; then it decides, and not what the text reads. `text` is empty where they do not keep
    it, or do no longer (see `redact`). `created_at` is when it was taken, or its latest event where the books tell no more.
    """

    provider_id: str
    status: str
    state: str
    code: str | None
    to: str
    text: str
    created_at: datetime
    token: UUID | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report, read from a callback whose signature was right."""

    key: str
    token: UUID
    provider_id: str
    status: str
    state: str
    code: str | None


@dataclass(frozen=True, slots=True)
class Inbound:
    """A text from a phone, read from a callback whose signature was right."""

    provider_id: str
    sender: str
    text: str


class Objection(StrEnum):
    """What a recipient has said through the provider. It ends the channel for that address, and never the duty to notify."""

    SPAM_REPORT = "spam_report"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True, slots=True)
class Objected:
    """A recipient's objection, read from a callback whose signature was right."""

    token: UUID
    objection: Objection


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with an e-mail. Held back: kept sealed, and shown to nobody before somebody has cleared it."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class InboundMail:
    """An e-mail that came back. `token` is of the signed address it was sent to, None where that names no attempt of ours.

    `text` is what the sender wrote, without what they quoted. `automatic`: a machine wrote it (RFC 3834), so it answers nothing.
    """

    provider_id: str
    token: UUID | None
    sender: str
    text: str
    automatic: bool
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt whose outcome we do not know, as a provider can look for it. `since` is when it cannot have been sent before."""

    token: UUID
    to: str
    since: datetime


class Forged(Exception):
    """A callback is not signed by the provider. Nothing of it may be believed."""


class Malformed(Exception):
    """A callback is signed, and still not what the provider documents. The text names the field, never its content."""


E_contra = TypeVar("E_contra", contravariant=True)


class Provider(Protocol[E_contra]):
    """A provider of texts, mails or letters. `send`, `find` and `fetch` are used within one `async with`, many at once."""

    name: str

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def send(self, envelope: E_contra, /) -> Receipt:
        """Hand one over. Never raises for what the provider or the network does: that is the receipt's verdict."""

    async def find(self, lost: Lost) -> Sequence[Standing]:
        """What may be this attempt in the provider's books. Raises Unreachable, also where it has no books to look into."""

    async def fetch(self, provider_id: str) -> Standing | None:
        """One thing in the provider's books, None when it is not there. Raises Unreachable."""

    def books(self, day: date) -> AsyncIterator[Sequence[Standing]]:
        """Everything that we had it send on a day (UTC), page by page, in no order. Raises Unreachable, or NoBooks.

        Some may come twice, and some of the days around come along: whoever asks looks at what is whose, and at `created_at`.
        """

    def refusal(self, code: str | None) -> Refusal:
        """What to do about a code. Unknown codes are for review."""


class TextProvider(Provider[Envelope], Protocol):
    """A provider of texts."""

    async def redact(self, provider_id: str) -> bool:
        """Have it forget what a text says; of one that came in, too. True when it has, also where it has no such text any more;
        False when it will not yet, because the text is still on its way. Safe to repeat. Raises Unreachable."""

    def read_report(self, token: UUID, path: str, form: Mapping[str, str], signature: str | None) -> Report:
        """Raises Forged or Malformed. `path` is the address called, with its query, below the public base address."""

    def read_inbound(self, path: str, form: Mapping[str, str], signature: str | None) -> Inbound:
        """Raises Forged or Malformed."""


class Unreachable(Exception):
    """The provider's books could not be read now."""


class NoBooks(Unreachable):
    """The provider keeps no books that could be asked, or our account may not."""
