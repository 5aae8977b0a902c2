"""What the sandbox is started with, and the few dials that can be turned while it runs."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from outreach.sandbox.mail_key import new_key, private_key

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "sandbox"
STATIC = Path(__file__).resolve().parent / "static"

# An account that is plainly not a real one; real account sids are random.
DEFAULT_ACCOUNT_SID = "AC" + "5a" * 16
# The sender that Twilio's own test credentials accept; it is nobody's and never one of our made-up recipients.
# https://www.twilio.com/docs/iam/test-credentials
DEFAULT_NUMBER = "+15005550006"


class ConfigError(ValueError):
    """An option or environment variable of the sandbox has a value it cannot work with."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Delays are milliseconds. `numbers` are the account's own senders, the first one serving for a Messaging Service;
    an empty tuple accepts any well-formed sender, so that a test need not register one first."""

    account_sid: str = DEFAULT_ACCOUNT_SID
    auth_token: str = field(repr=False)
    books: Path
    host: str = "127.0.0.1"
    port: int = 0
    control_token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    numbers: tuple[str, ...] = ()
    inbound_url: str | None = None
    public_base: str | None = None
    local_base: str | None = None
    status_delay_ms: int = 100
    reply_delay_ms: int = 400
    callback_pool: int = 20
    callback_retries: int = 3
    retry_delay_ms: int = 500
    opt_out_replies: bool = True
    population: bool = False
    seed: int = 1
    templates: Path = TEMPLATES
    # E-mail. Without a key it lets nobody in. The webhook's key is private, base64 DER; the control interface shows the public one.
    sendgrid_api_key: str = field(default="", repr=False)
    webhook_key: str = field(default_factory=new_key, repr=False)
    mail_events_url: str | None = None
    inbound_mail_url: str | None = None
    inbound_mail_password: str = field(default="", repr=False)
    raw_inbound: bool = False
    # The mail house. Without a key it lets nobody in.
    post_api_key: str = field(default="", repr=False)
    post_webhook_secret: str = field(default="", repr=False)
    post_webhook_url: str | None = None
    post_webhook_format: str = "json"  # or "jwt"
    letter_delay_ms: int = 2000

    def __post_init__(self) -> None:
        if not (self.account_sid.startswith("AC") and len(self.account_sid) == 34):
            raise ConfigError("The account sid must be AC and 32 hexadecimal digits, as Twilio's are.")
        if not self.auth_token:
            raise ConfigError("The auth token is empty. Set TWILIO_AUTH_TOKEN to the token your own side signs with.")
        if self.local_base and not self.public_base:
            raise ConfigError("A local webhook base needs the public one whose place it takes.")
        try:
            private_key(self.webhook_key)
        except ValueError as error:
            raise ConfigError("SANDBOX_WEBHOOK_KEY is no private key in base64 DER.") from error
        if self.inbound_mail_url and not self.inbound_mail_password:
            raise ConfigError("Answers by e-mail need a password to hand them over with. Set SANDBOX_INBOUND_MAIL_PASSWORD.")
        if self.post_webhook_url and not self.post_webhook_secret:
            raise ConfigError("Webhooks of letters need a secret to sign with. Set POSTGRID_WEBHOOK_SECRET.")
        if self.post_webhook_format not in {"json", "jwt"}:
            raise ConfigError("The format of letters' webhooks is json or jwt.")

    @property
    def default_number(self) -> str:
        return self.numbers[0] if self.numbers else DEFAULT_NUMBER


@dataclass(kw_only=True)
class Dials:
    """What tests and the faults page may change while the sandbox runs. Delays are milliseconds."""

    inbound_url: str | None
    status_delay_ms: int
    reply_delay_ms: int
    opt_out_replies: bool
    population: bool
    letter_delay_ms: int
    mail_events_url: str | None
    inbound_mail_url: str | None
    raw_inbound: bool
    paused: bool = False

    @classmethod
    def of(cls, config: Config) -> "Dials":
        return cls(
            inbound_url=on_public_base(config, config.inbound_url),
            status_delay_ms=config.status_delay_ms,
            reply_delay_ms=config.reply_delay_ms,
            opt_out_replies=config.opt_out_replies,
            population=config.population,
            letter_delay_ms=config.letter_delay_ms,
            mail_events_url=on_public_base(config, config.mail_events_url),
            inbound_mail_url=on_public_base(config, config.inbound_mail_url),
            raw_inbound=config.raw_inbound,
        )


def on_public_base(config: Config, url: str | None) -> str | None:
    """A path alone is meant on the public base; a full address stands as it is."""
    return (config.public_base or "").rstrip("/") + url if url and url.startswith("/") else url


def from_environment(environment: Mapping[str, str] = os.environ) -> dict[str, object]:
    """The options that are set in the environment, as keyword arguments of `Config`."""
    found: dict[str, object] = {}
    for option, (name, kind) in OPTIONS.items():
        value = environment.get(name)
        if value is None or value == "":
            continue
        try:
            found[option] = kind(value)
        except ValueError as error:
            raise ConfigError(f"{name} has a value the sandbox cannot read: {error}") from error
    return found


def yes_or_no(value: str) -> bool:
    if value.lower() in {"1", "yes", "true", "on"}:
        return True
    if value.lower() in {"0", "no", "false", "off"}:
        return False
    raise ValueError("write yes or no")


def numbers(value: str) -> tuple[str, ...]:
    return tuple(number.strip() for number in value.split(",") if number.strip())


OPTIONS: dict[str, tuple[str, Callable[[str], object]]] = {
    "account_sid": ("TWILIO_ACCOUNT_SID", str),
    "auth_token": ("TWILIO_AUTH_TOKEN", str),
    "books": ("SANDBOX_BOOKS", Path),
    "host": ("SANDBOX_HOST", str),
    "port": ("SANDBOX_PORT", int),
    "control_token": ("SANDBOX_CONTROL_TOKEN", str),
    "numbers": ("SANDBOX_NUMBERS", numbers),
    "inbound_url": ("SANDBOX_INBOUND_URL", str),
    "public_base": ("SANDBOX_PUBLIC_WEBHOOK_BASE", str),
    "local_base": ("SANDBOX_LOCAL_WEBHOOK_BASE", str),
    "status_delay_ms": ("SANDBOX_STATUS_DELAY_MS", int),
    "reply_delay_ms": ("SANDBOX_REPLY_DELAY_MS", int),
    "callback_pool": ("SANDBOX_CALLBACK_POOL", int),
    "callback_retries": ("SANDBOX_CALLBACK_RETRIES", int),
    "retry_delay_ms": ("SANDBOX_RETRY_DELAY_MS", int),
    "opt_out_replies": ("SANDBOX_OPT_OUT_REPLIES", yes_or_no),
    "population": ("SANDBOX_POPULATION", yes_or_no),
    "seed": ("SANDBOX_SEED", int),
    "sendgrid_api_key": ("SENDGRID_API_KEY", str),
    "webhook_key": ("SANDBOX_WEBHOOK_KEY", str),
    "mail_events_url": ("SANDBOX_MAIL_EVENTS_URL", str),
    "inbound_mail_url": ("SANDBOX_INBOUND_MAIL_URL", str),
    "inbound_mail_password": ("SANDBOX_INBOUND_MAIL_PASSWORD", str),
    "raw_inbound": ("SANDBOX_RAW_INBOUND", yes_or_no),
    "post_api_key": ("POSTGRID_API_KEY", str),
    "post_webhook_secret": ("POSTGRID_WEBHOOK_SECRET", str),
    "post_webhook_url": ("SANDBOX_POST_WEBHOOK_URL", str),
    "post_webhook_format": ("SANDBOX_POST_WEBHOOK_FORMAT", str),
    "letter_delay_ms": ("SANDBOX_LETTER_DELAY_MS", int),
}
