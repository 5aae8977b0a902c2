"""Replies: what comes back, from which contact point, about whom, and what was done about it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now


class Binding(StrEnum):
    """How a reply was bound to a person, or why it was not."""

    ONLY_PERSON = "only_person"  # one person uses this phone
    STAFF = "staff"  # a member of staff decided
    SHARED = "shared"  # several people use it: staff decide
    STRANGER = "stranger"  # nobody we know uses it


class Reply(Base):
    """One inbound text. `body_sealed` and `sender_sealed` are under the reply's own key, since a stranger has no contact point."""

    __tablename__ = "reply"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    channel: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    provider_id: Mapped[str] = mapped_column(Text)
    contact_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact_point.id"))
    sender_index: Mapped[bytes] = mapped_column(LargeBinary)
    sender_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    kind: Mapped[str] = mapped_column(Text)  # a `delivery.words.ReplyKind`
    needs_human: Mapped[bool] = mapped_column(default=True)
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("message.id"))  # the last message to that contact point
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    binding: Mapped[str] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(Text)  # which automatic answer was given: "help", "wrong_person"
    received_at: Mapped[datetime] = mapped_column(default=now)
    handled_at: Mapped[datetime | None]
    handled_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))

    __table_args__ = (
        Index("reply_provider_id_key", "provider", "provider_id", unique=True),
        Index("reply_sender_idx", "sender_index", "received_at"),
        Index("reply_person_idx", "person_id"),
        Index("reply_open_idx", "received_at", postgresql_where="handled_at is null"),
    )
