"""Notices and their renditions: what is said, per channel and language, and who approved each text.

    draft ──approve──> approved ──a newer one is approved──> retired
      └────── a change makes a new draft (a new version); a text that was approved never changes

Only an approved rendition can be sent, and nobody approves a text that they drafted themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Exists, ForeignKey, Index, Text, exists, func, select, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from outreach.access import audit
from outreach.access.accounts import Account, Role
from outreach.access.audit import SYSTEM
from outreach.db import Base, new_id, now
from outreach.notices import disclosure, languages, starter
from outreach.notices.channel import Channel as Channel  # noqa: PLC0414  # handed on: texts are asked for by channel
from outreach.notices.house import House


class NoNotice(Exception):
    """There is no notice, or no rendition, with this id."""


class NotApproved(Exception):
    """A rendition cannot be approved. `sentence` says why, for its author and its reviewer; `problems` are of the text itself."""

    def __init__(self, sentence: str, problems: Sequence[str] = ()) -> None:
        super().__init__(" ".join((sentence, *problems)))
        self.sentence, self.problems = sentence, tuple(problems)


class Purpose(StrEnum):
    """What a notice's texts are for: a campaign's message, or the automatic answer to a word that somebody texted."""

    NOTICE = "notice"
    HELP = "help"
    WRONG_PERSON = "wrong_person"


class RenditionState(StrEnum):
    DRAFT = "draft"
    APPROVED = "approved"
    RETIRED = "retired"


class Notice(Base):
    __tablename__ = "notice"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    title: Mapped[str]  # for staff
    purpose: Mapped[str] = mapped_column(Text, default=Purpose.NOTICE)
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Rendition(Base):
    """One notice's text for one channel and language, in one version."""

    __tablename__ = "rendition"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    notice_id: Mapped[UUID] = mapped_column(ForeignKey("notice.id"))
    channel: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    subject: Mapped[str | None] = mapped_column(Text)  # of an e-mail
    text: Mapped[str]  # with ((fields)); names nobody, so it is not sealed. Of e-mails and letters: see `notices.blocks`
    state: Mapped[str] = mapped_column(Text, default=RenditionState.DRAFT)
    drafted_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))  # None: shipped with the program
    drafted_at: Mapped[datetime] = mapped_column(default=now)
    approved_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    approved_at: Mapped[datetime | None]
    approval_note: Mapped[str | None] = mapped_column(Text)  # who reviewed the language, or that this is a demonstration
    policy: Mapped[str | None] = mapped_column(Text)  # the version of the non-disclosure check that it passed

    __table_args__ = (
        Index("rendition_version_key", "notice_id", "channel", "language", "version", unique=True),
        Index(
            "rendition_approved_key", "notice_id", "channel", "language", unique=True,
            postgresql_where="state = 'approved'",
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Summary:
    """A notice in the list. Counted in languages: `approved` have a text that can be sent, `drafts` one that waits for approval."""

    id: UUID
    title: str
    purpose: str
    approved: int
    drafts: int


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a text, with the names of who drafted it (None: shipped with the program) and who approved it."""

    rendition: Rendition
    drafted_by: str | None
    approved_by: str | None


def get(session: Session, notice_id: UUID) -> Notice:
    """Raises NoNotice."""
    notice = session.get(Notice, notice_id)
    if notice is None:
        raise NoNotice(str(notice_id))
    return notice


def summaries(session: Session) -> list[Summary]:
    """Every notice: those for campaigns first, then by title."""
    count = select(func.count(Rendition.language.distinct())).where(Rendition.notice_id == Notice.id)
    drafts = count.where(Rendition.state == RenditionState.DRAFT, ~_overtaken()).scalar_subquery()
    approved = count.where(Rendition.state == RenditionState.APPROVED).scalar_subquery()
    rows = session.execute(
        select(Notice.id, Notice.title, Notice.purpose, approved, drafts).order_by(Notice.purpose != Purpose.NOTICE, Notice.title)
    )
    return [Summary(*row) for row in rows]


def standing(session: Session, notice_id: UUID) -> dict[Channel, tuple[int, int]]:
    """For each channel of texts that the notice has: in how many languages one is approved, and in how many a draft waits."""
    rows = session.execute(
        select(
            Rendition.channel,
            func.count().filter(Rendition.state == RenditionState.APPROVED),
            func.count().filter(Rendition.state == RenditionState.DRAFT, ~_overtaken()),
        )
        .where(Rendition.notice_id == notice_id)
        .group_by(Rendition.channel)
    )
    return {Channel(channel): (approved, drafts) for channel, approved, drafts in rows}


def versions(
    session: Session, notice_id: UUID, language: str | None = None, *, channel: Channel = Channel.SMS
) -> dict[str, list[Version]]:
    """The notice's texts for one channel by language, newest first. Drafts that a newer version has overtaken stay among them."""
    author, approver = aliased(Account), aliased(Account)
    wanted = (
        select(Rendition, author.name, approver.name)
        .outerjoin(author, author.id == Rendition.drafted_by)
        .outerjoin(approver, approver.id == Rendition.approved_by)
        .where(Rendition.notice_id == notice_id, Rendition.channel == channel.rendition)
        .order_by(Rendition.language, Rendition.version.desc())
    )
    if language is not None:
        wanted = wanted.where(Rendition.language == language)
    found: dict[str, list[Version]] = {}
    for rendition, drafted_by, approved_by in session.execute(wanted):
        found.setdefault(rendition.language, []).append(Version(rendition, drafted_by, approved_by))
    return found


def create(session: Session, *, title: str, purpose: Purpose = Purpose.NOTICE, by: Account | None = None) -> Notice:
    """A notice without texts. `by` is None for what the program ships."""
    notice = Notice(id=new_id(), title=title.strip(), purpose=purpose, created_by=by.id if by else None)
    session.add(notice)
    session.flush()
    audit.record(session, by.actor if by else SYSTEM, "notice.create", "notice", notice.id)
    return notice


def create_starters(session: Session) -> None:
    """The notices that the program ships, as drafts in every channel and language. Safe to repeat: it adds what is missing."""
    titles = {
        Purpose.NOTICE: "First contact",
        Purpose.HELP: "Answer to HELP",
        Purpose.WRONG_PERSON: "Answer to a wrong number",
    }
    texts = starter.load()
    for purpose, title in titles.items():
        notice = session.scalar(select(Notice).where(Notice.purpose == purpose, Notice.created_by.is_(None)))
        if notice is None:
            notice = create(session, title=title, purpose=purpose)
        there = select(Rendition.channel, Rendition.language).where(Rendition.notice_id == notice.id)
        present = {(channel, language) for channel, language in session.execute(there)}
        session.add_all(
            Rendition(
                notice_id=notice.id, channel=text.channel, language=text.language, version=1, subject=text.subject, text=text.text
            )
            for text in texts
            if text.kind == purpose and (text.channel, text.language) not in present
        )  # fmt: skip
    session.flush()


def draft(
    session: Session,
    notice_id: UUID,
    *,
    language: str,
    text: str,
    by: Account,
    channel: Channel = Channel.SMS,
    subject: str | None = None,
) -> Rendition:
    """A new version of one text. Raises NoNotice, or `languages.UnknownLanguageError`. It may have problems: approval tells.

    `subject` is of an e-mail; other channels drop it. A text for `hand` is one for letters.
    """
    languages.get(language)
    if session.get(Notice, notice_id, with_for_update=True) is None:
        raise NoNotice(str(notice_id))
    rendition = Rendition(
        id=new_id(),
        notice_id=notice_id,
        channel=channel.rendition,
        language=language,
        subject=(subject or "").strip() if channel.is_mail else None,
        text=text.strip(),
        drafted_by=by.id,
    )
    rendition.version = 1 + _newest(session, rendition)
    session.add(rendition)
    session.flush()
    audit.record(session, by.actor, "rendition.draft", "rendition", rendition.id, language=language, version=rendition.version)
    return rendition


def approve(session: Session, rendition_id: UUID, *, by: Account, note: str, house: House) -> Rendition:
    """Make a draft the text that is sent in its language; the one before it is retired.

    `note` says who vouches for the language, and how. Raises NotApproved for the text's own author, for one who may not
    approve, without a note, and for a text that the checks refuse.
    """
    rendition = session.get(Rendition, rendition_id, with_for_update=True)
    if rendition is None:
        raise NoNotice(str(rendition_id))
    if by.role not in (Role.APPROVER, Role.SUPERVISOR):
        raise NotApproved("Only an approver or a supervisor can approve a text.")
    if rendition.drafted_by == by.id:
        raise NotApproved("You wrote this text, so somebody else has to approve it.")
    if rendition.state != RenditionState.DRAFT:
        raise NotApproved("Only a draft can be approved. Somebody was faster: look at the text again.")
    if _newest(session, rendition) != rendition.version:
        raise NotApproved("There is a newer draft of this text. Look at that one.")
    if not note.strip():
        raise NotApproved("Say who reviewed the text in this language, and how: it is kept with the approval.")
    if problems := house.problems(rendition.channel, rendition.subject, rendition.text, rendition.language):
        raise NotApproved("The text has problems. Mend them in a new draft.", problems)
    session.execute(
        update(Rendition)
        .where(
            Rendition.notice_id == rendition.notice_id,
            Rendition.channel == rendition.channel,
            Rendition.language == rendition.language,
            Rendition.state == RenditionState.APPROVED,
        )
        .values(state=RenditionState.RETIRED)
    )
    rendition.state, rendition.policy = RenditionState.APPROVED, disclosure.POLICY_VERSION
    rendition.approved_by, rendition.approved_at, rendition.approval_note = by.id, now(), note.strip()
    session.flush()
    audit.record(
        session, by.actor, "rendition.approve", "rendition", rendition.id, language=rendition.language, version=rendition.version
    )
    return rendition


def _overtaken() -> Exists:
    """SQL: whether a newer version of the same text exists."""
    newer = aliased(Rendition)
    return exists().where(
        newer.notice_id == Rendition.notice_id,
        newer.channel == Rendition.channel,
        newer.language == Rendition.language,
        newer.version > Rendition.version,
    )


def _newest(session: Session, rendition: Rendition) -> int:
    """The newest version of a text, 0 when there is none."""
    newest = select(func.max(Rendition.version)).where(
        Rendition.notice_id == rendition.notice_id,
        Rendition.channel == rendition.channel,
        Rendition.language == rendition.language,
    )
    return session.scalar(newest) or 0
