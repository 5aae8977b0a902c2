"""Staff accounts: roles, passwords, one-time codes, sign-in and sessions.

Sign-in takes a password and a time-based code (RFC 6238). A wrong login, a wrong password and a wrong code get the same answer
after the same work. Sessions live in PostgreSQL under the hash of a random token, so that they outlive Redis and can be ended.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import ForeignKey, LargeBinary, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.access import audit
from outreach.access.audit import Actor, ActorKind
from outreach.access.sealing import create_key, key_for, vault_of
from outreach.db import Base, new_id, now

IDLE = timedelta(minutes=15)
ABSOLUTE = timedelta(hours=8)
THROTTLE_WINDOW = timedelta(minutes=15)
THROTTLE_FAILURES = 10  # per login and per source within the window
LONGEST_PASSWORD = 256  # characters: refused before hashing, or a long one would cost us the work
SHORTEST_PASSWORD = 12

# The floor that OWASP's password storage sheet gives for argon2id: 19 MiB, two passes.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_decoy = _hasher.hash(secrets.token_hex(16))


class Role(StrEnum):
    OFFICER = "officer"  # builds campaigns, imports rosters, handles replies
    APPROVER = "approver"  # approves campaigns and renditions
    SUPERVISOR = "supervisor"  # both of the above, and accounts; never on their own work
    AUDITOR = "auditor"  # the log and the figures, no person's data


class NotSignedIn(Exception):
    """Login, password and code do not fit together. One sentence for every cause, so that none is told apart."""


class TooManyTries(Exception):
    """Too many failed sign-ins for this login or from this source; the door opens again in a quarter of an hour."""


class WeakPassword(Exception):
    """The password is too short or too long."""


class NotOneself(Exception):
    """Nobody changes their own role or ends their own account: a second person does."""


class NoSuchAccount(LookupError):
    """There is no account with this id."""


class Account(Base):
    __tablename__ = "account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]  # of a member of staff, shown beside what they approved
    role: Mapped[str]
    password_hash: Mapped[str]
    totp_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    totp_last_step: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)
    locale: Mapped[str] = mapped_column(default="en")
    created_at: Mapped[datetime] = mapped_column(default=now)

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.STAFF, self.id)


class AuthSession(Base):
    __tablename__ = "auth_session"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)


class SignInFailure(Base):
    __tablename__ = "sign_in_failure"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    subject: Mapped[bytes] = mapped_column(LargeBinary, index=True)  # keyed hash of a login or of a source address


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A new account and its one-time-code secret (base32), which is shown once."""

    account: Account
    totp_secret: str


def create(
    session: Session, *, login: str, name: str, role: Role, password: str, totp_secret: str | None = None, by: Actor
) -> NewAccount:
    """Raises WeakPassword. `totp_secret` is given only for the demonstration's known sign-ins."""
    secret = totp_secret or pyotp.random_base32()
    account = Account(
        id=new_id(), login=login.strip().lower(), name=name, role=role, password_hash=_hash(password), totp_sealed=b""
    )
    account.totp_sealed = create_key(session, account.id).seal("account.totp", account.id, secret)
    session.add(account)
    session.flush()
    audit.record(session, by, "account.create", "account", account.id, role=role)
    return NewAccount(account, secret)


def sign_in(session: Session, *, login: str, password: str, code: str, source: str) -> tuple[Account, str]:
    """The account and a new session token. The caller commits in every case: a failure is counted too.

    `source` is the client's address; only its keyed hash is kept. A code is good once. Raises NotSignedIn or TooManyTries.
    """
    login = login.strip().lower()
    vault = vault_of(session)
    subjects = [vault.keyed_hash("sign-in", f"login:{login}"), vault.keyed_hash("sign-in", f"source:{source}")]
    for subject in subjects:
        failures = session.scalar(
            select(func.count()).where(SignInFailure.subject == subject, SignInFailure.at > now() - THROTTLE_WINDOW)
        )
        if (failures or 0) >= THROTTLE_FAILURES:
            raise TooManyTries
    account = session.scalar(select(Account).where(Account.login == login).with_for_update())
    good = _password_fits(account.password_hash if account else _decoy, password)
    step = _code_step(session, account, code) if account and good and account.active else None
    if account is None or step is None:
        session.add_all(SignInFailure(subject=subject) for subject in subjects)
        raise NotSignedIn
    account.totp_last_step = step
    token = secrets.token_urlsafe(32)
    session.add(AuthSession(token_hash=_token_hash(token), account_id=account.id))
    audit.record(session, account.actor, "account.sign_in", "account", account.id)
    return account, token


def signed_in(session: Session, token: str, *, renew: bool = True) -> Account | None:
    """The account behind a session token, or None when it has ended, idled out or been ended.

    `renew` starts the idle time anew: not for what a page asks by itself, or it would never idle out.
    """
    at = now()
    found = session.execute(
        select(Account, AuthSession.seen_at)
        .join(AuthSession)
        .where(
            AuthSession.token_hash == _token_hash(token),
            AuthSession.seen_at > at - IDLE,
            AuthSession.created_at > at - ABSOLUTE,
            Account.active,
        )
    ).one_or_none()
    if found is None:
        return None
    account, seen_at = found
    if renew and seen_at < at - timedelta(seconds=30):  # Not at each request: a page with htmx makes many.
        session.execute(update(AuthSession).where(AuthSession.token_hash == _token_hash(token)).values(seen_at=at))
    return account


def sign_out(session: Session, token: str) -> None:
    """Ends one session. Safe to repeat."""
    held = session.get(AuthSession, _token_hash(token))
    if held is not None:
        session.delete(held)


def everyone(session: Session) -> list[Account]:
    """All accounts, those in use first, by name."""
    return list(session.scalars(select(Account).order_by(Account.active.desc(), Account.name, Account.id)))


def deactivate(session: Session, account_id: UUID, *, by: Account) -> None:
    """Nobody can sign in with it any more, and whoever is signed in with it is out at once. Safe to repeat.

    Raises NotOneself or NoSuchAccount.
    """
    account = _other(session, account_id, by)
    if not account.active:
        return
    account.active = False
    _end_sessions(session, account_id)
    audit.record(session, by.actor, "account.deactivate", "account", account_id)


def change_role(session: Session, account_id: UUID, role: Role, *, by: Account) -> None:
    """The account's sessions end, so that nothing opened under the old role stays open. Raises NotOneself or NoSuchAccount."""
    account = _other(session, account_id, by)
    if account.role == role:
        return
    before, account.role = account.role, role
    _end_sessions(session, account_id)
    audit.record(session, by.actor, "account.role", "account", account_id, before=before, after=role)


def set_locale(session: Session, account_id: UUID, locale: str) -> None:
    """The language in which the account's pages are shown."""
    session.execute(update(Account).where(Account.id == account_id).values(locale=locale))


def _other(session: Session, account_id: UUID, by: Account) -> Account:
    if account_id == by.id:
        raise NotOneself
    account = session.get(Account, account_id, with_for_update=True)
    if account is None:
        raise NoSuchAccount
    return account


def _end_sessions(session: Session, account_id: UUID) -> None:
    session.execute(delete(AuthSession).where(AuthSession.account_id == account_id))


def _hash(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise WeakPassword(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    return _hasher.hash(password)


def _password_fits(password_hash: str, password: str) -> bool:
    if len(password) > LONGEST_PASSWORD:
        return False
    try:
        return _hasher.verify(password_hash, password)
    except VerificationError:
        return False


def _code_step(session: Session, account: Account, code: str) -> int | None:
    """The time step the code belongs to (now or the one before), or None when it is wrong or was used."""
    secret = key_for(session, account.id).open("account.totp", account.id, account.totp_sealed)
    totp = pyotp.TOTP(secret)
    current = totp.timecode(now())
    for step in (current, current - 1):
        if step > account.totp_last_step and secrets.compare_digest(totp.generate_otp(step), code.strip()):
            return step
    return None


def _token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
