"""What a provider of texts does for us, whichever it is: send one, say what became of it, read its callbacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
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
    TRANSIENT = "transient"  # worth trying again later
    BACK_OFF = "back_off"  # we are too fast: the same text again, later
    FILTERED = "filtered"  # the carrier takes us for spam: stop the step, call a human
    CONFIGURATION = "configuration"  # our account or sender is wrong: stop everything, call the operator
    REVIEW = "review"  # a human must look


@dataclass(frozen=True, slots=True)
class Envelope:
    """One text on its way out. `token` names our attempt and comes back in the callback's address; `to` is E.164."""

    token: UUID
    to: str
    text: str


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
    """What a provider's books say of one text. `status` is its own word, `state` ours (an `AttemptState` value)."""

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


class Forged(Exception):
    """A callback is not signed by the provider. Nothing of it may be believed."""


class Malformed(Exception):
    """A callback is signed, and still not what the provider documents. The text names the field, never its content."""


class TextProvider(Protocol):
    """A provider of texts. `send`, `find` and `fetch` are used within one `async with`, many at once."""

    name: str

    async def __aenter__(self) -> "TextProvider": ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def send(self, envelope: Envelope) -> Receipt:
        """Hand one text over. Never raises for what the provider or the network does: that is the receipt's verdict."""

    async def find(self, to: str, since: datetime) -> list[Standing]:
        """Every text to this number in the provider's books since then. Raises Unreachable."""

    async def fetch(self, provider_id: str) -> Standing | None:
        """One text in the provider's books, None when it is not there. Raises Unreachable."""

    def refusal(self, code: str | None) -> Refusal:
        """What to do about a code. Unknown codes are for review."""

    def read_report(self, token: UUID, path: str, form: Mapping[str, str], signature: str | None) -> Report:
        """Raises Forged or Malformed. `path` is the address called, with its query, below the public base address."""

    def read_inbound(self, path: str, form: Mapping[str, str], signature: str | None) -> Inbound:
        """Raises Forged or Malformed."""


class Unreachable(Exception):
    """The provider's books could not be read now."""
