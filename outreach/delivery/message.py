"""Messages, the attempts to send them, and what was reported of each.

    ready ──> submitting ──> accepted ──> sent ──> delivered
      ^ │         │ │            └────────┴──────> undelivered ──(may be tried again)──> ready
      │ │         │ └──> unknown: the provider may have it. Reconciled, never resent blindly
      │ │         └────> failed: refused for good
      └─┼── definitely not taken: tried again later            accepted, sent, delivered ──> returned
        └──> cancelled (not wanted now; ready again when whoever it is about is back) | blocked (our own check refused the text)

`returned` is what came back after all: a letter, or an e-mail that bounced after it was said to be delivered.
A report may overtake our own commit or come after a worse one: `delivered` beats all. The allowed changes are kept by a trigger.
"""

import unicodedata
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, Numeric, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.access.sealing import Vault
from outreach.db import Base, new_id, now


class MessageState(StrEnum):
    READY = "ready"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"


class AttemptState(StrEnum):
    OPEN = "open"  # committed before the call; no answer recorded yet
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"  # accepted at first, and failed later
    RETURNED = "returned"  # it came back, whatever was reported before
    REFUSED = "refused"  # the provider said no
    NOT_SENT = "not_sent"  # proved never to have reached the provider's books; it spends none of the message's tries


def body_digest(vault: Vault, body: str) -> bytes:
    """A keyed hash of what no provider changes in a text: its letters and digits.

    Quotes, dashes, spaces and the way accents are composed come back different where a provider saves segments by them:
    https://www.twilio.com/docs/messaging/services#smart-encoding
    """
    kept = (c for c in unicodedata.normalize("NFKC", body).casefold() if unicodedata.category(c)[0] in "LMN")
    return vault.keyed_hash("body", "".join(kept))


def attempt_id(vault: Vault, message_id: UUID, number: int) -> UUID:
    """The id of a message's attempt, which is the token that providers keep with it. Nobody else can guess it.

    Made, not drawn: a database that was restored from a backup knows its own attempts again in a provider's books.
    """
    return UUID(bytes=vault.keyed_hash("attempt", f"{message_id}:{number}")[:16], version=4)


class Message(Base):
    """One text, mail or letter to one contact point, about the people in `message_person`.

    One decision per (step, contact point, language); letters are always about one person (`person_id`), and what goes to an
    attorney is about any number of clients (`attorney_id`), or about the one whose removal is imminent (both).
    """

    __tablename__ = "message"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    step_id: Mapped[UUID] = mapped_column(ForeignKey("step.id"))
    campaign_id: Mapped[UUID]  # of the step; kept here so that claiming needs one join less
    contact_point_id: Mapped[UUID]
    person_id: Mapped[UUID | None]
    attorney_id: Mapped[UUID | None]
    rendition_id: Mapped[UUID]
    channel: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default=MessageState.READY)
    reason: Mapped[str | None] = mapped_column(Text)  # of a refusal, a cancellation, a failure: a code
    due_at: Mapped[datetime | None] = mapped_column(default=now)
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index(
            "message_decision_key", "step_id", "contact_point_id", "language", "person_id", "attorney_id", unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("message_attorney_idx", "attorney_id", postgresql_where="attorney_id is not null"),
        Index("message_ready_idx", "step_id", "due_at", postgresql_where="state = 'ready'"),
        Index("message_open_idx", "state", "due_at", postgresql_where="state in ('submitting', 'unknown', 'undelivered')"),
        Index("message_contact_idx", "contact_point_id"),
        Index("message_silent_idx", "step_id", "updated_at", postgresql_where="state in ('unknown', 'accepted', 'sent')"),
        Index("message_filtered_idx", "step_id", "updated_at", postgresql_where="reason = 'filtered'"),
    )  # fmt: skip


class MessagePerson(Base):
    """Whom a message is about."""

    __tablename__ = "message_person"

    message_id: Mapped[UUID] = mapped_column(ForeignKey("message.id"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(primary_key=True)

    __table_args__ = (Index("message_person_person_idx", "person_id"),)


class Attempt(Base):
    """One try at a provider, committed before the call. `id` is the token in the callback address, made by `attempt_id`.

    `body_sealed` is the exact content handed over: the text, the mail as it was sent, or everything a letter is set from. It is
    under the key of `sealed_under`, or the contact point's where that is None: erasing whoever it is about erases it.
    `lease_until` is until when its worker may be
    waiting for the answer; after that the sweep takes it for unknown.
    """

    __tablename__ = "attempt"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    message_id: Mapped[UUID] = mapped_column(ForeignKey("message.id"))
    number: Mapped[int] = mapped_column(SmallInteger)
    contact_point_id: Mapped[UUID]
    channel: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default=AttemptState.OPEN)
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_under: Mapped[UUID | None]
    body_digest: Mapped[bytes] = mapped_column(LargeBinary)  # keyed: matches a listing at the provider without opening the body
    segments: Mapped[int] = mapped_column(SmallInteger)
    # Of a campaign that holds to limits: what it counts for, in US dollars, and the carriers' day whose `Spending` counts it now.
    cost: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    counted_on: Mapped[date | None]
    provider_id: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(default=now)
    lease_until: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]  # when its provider was last asked what became of it
    seen_at: Mapped[datetime | None]  # when the provider last answered that, by its books
    checks: Mapped[int] = mapped_column(SmallInteger, default=0)
    redacted_at: Mapped[datetime | None]  # when the provider was made to forget the text
    redactions: Mapped[int] = mapped_column(SmallInteger, server_default="0")  # how often it was asked to
    redact_at: Mapped[datetime | None]  # when it is asked again, after it would not

    __table_args__ = (
        Index("attempt_number_key", "message_id", "number", unique=True),
        Index("attempt_provider_id_key", "provider", "provider_id", unique=True),
        # One attempt of a message may be alive, and one per destination may be undecided: that makes a listing by
        # destination unambiguous, and a double send impossible whatever the code does.
        Index(
            "attempt_one_live_key", "message_id", unique=True,
            postgresql_where="state in ('open', 'unknown', 'accepted', 'sent')",
        ),
        Index(
            "attempt_one_open_destination_key", "channel", "contact_point_id", unique=True,
            postgresql_where="state in ('open', 'unknown') and channel in ('sms', 'email', 'attorney_email')",
        ),
        Index("attempt_waiting_idx", "started_at", postgresql_where="state in ('accepted', 'sent')"),
        Index("attempt_started_idx", "provider", "started_at"),
        Index(
            "attempt_unredacted_idx", "provider", "finished_at",
            postgresql_where="redacted_at is null and state in ('sent', 'delivered', 'undelivered', 'failed')",
        ),
    )  # fmt: skip


class Event(Base):
    """One report from a provider. Append-only; `applied_at` says when it was projected onto the message.

    `state` is the attempt state that it reports, in our words; `provider_status` is theirs. Nothing else of the payload is kept.
    """

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    provider: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)  # what makes a repeated report the same one
    attempt_id: Mapped[UUID]  # as the callback address says; it may name no attempt at all
    provider_id: Mapped[str] = mapped_column(Text)
    provider_status: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(default=now)
    applied_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(Text)  # why it could not be applied: "no_attempt", "other_provider_id"

    __table_args__ = (
        Index("event_key_key", "provider", "key", unique=True),
        Index("event_unapplied_idx", "id", postgresql_where="applied_at is null"),
        Index("event_attempt_idx", "attempt_id"),
    )
