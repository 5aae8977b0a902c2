"""Settings: config/default.toml, then the environment's own file, then environment variables. Read once, at the start."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

CONFIG = Path(__file__).parent.parent / "config"
ENVIRONMENTS = ("development", "test", "production")
REAL_TWILIO = "https://api.twilio.com"
# Seconds. https://www.twilio.com/docs/messaging/api/message-resource, ValidityPeriod
LONGEST_VALIDITY = 36_000
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class BadSettings(Exception):
    """What is missing or wrong, everything at once, each with how to mend it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("The settings are not complete:\n" + "\n".join(f"  - {problem}" for problem in problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting; config/default.toml says what each means and its unit."""

    environment: str
    database_url: str
    redis_url: str
    secret_key: str
    key_ring: Path
    twilio_auth_token: str
    twilio_auth_token_previous: str = ""
    sendgrid_api_key: str = ""
    inbound_mail_password: str = ""
    smtp_password: str = ""
    postgrid_api_key: str = ""
    postgrid_webhook_secret: str = ""

    public_base_url: str
    trusted_hosts: tuple[str, ...]
    trusted_proxies: int
    program_name: str
    program_phone: str
    program_site: str
    twilio_api_url: str
    twilio_account_sid: str
    sms_sender: str
    sms_in_flight: int
    sms_batch: int
    sms_segments_per_second: float
    sms_timeout_seconds: float
    sms_validity_seconds: int
    sms_shortest_validity_seconds: int
    sms_segment_price: Decimal
    sms_max_segments: int
    sms_attempts: int
    sms_retry_seconds: int
    sms_allowed_numbers: tuple[str, ...]
    mail_provider: str
    mail_from: str
    mail_reply_domain: str
    mail_in_flight: int
    mail_batch: int
    mail_timeout_seconds: float
    mail_attempts: int
    mail_retry_seconds: int
    mail_allowed_domains: tuple[str, ...]
    sendgrid_api_url: str
    sendgrid_webhook_keys: tuple[str, ...]
    sendgrid_activity: bool
    smtp_host: str
    smtp_port: int
    smtp_security: str
    smtp_username: str
    smtp_bounce_domain: str
    post_provider: str
    print_vendor: str
    print_run_letters: int
    letter_gather_seconds: int
    letter_english_behind: bool
    letter_days_before_silence: int
    letter_batch: int
    letter_lease_seconds: int
    letter_poll_seconds: int
    letter_niceness: int
    sender_lines: tuple[str, ...]
    sender_title: str
    address_reuse_limit: int
    postgrid_api_url: str
    postgrid_timeout_seconds: float
    postgrid_cancel_minutes: int
    mail_price: Decimal
    letter_price: Decimal
    carrier_day_zone: str
    incarnation: str
    lease_seconds: int
    reconcile_after_seconds: int
    release_after_seconds: int
    poll_after_seconds: int
    redact_after_seconds: int
    text_report_grace_hours: float
    mail_report_grace_hours: float
    undecided_after_hours: float
    filtered_limit: int
    breaker_sample: int
    breaker_address_share: float
    breaker_refusal_share: float
    breaker_unknown_share: float
    breaker_mail_sample: int
    breaker_bounce_share: float
    breaker_complaint_share: float
    late_after_hours: float
    dispatch_seconds: int
    ticker_seconds: float
    sweep_seconds: int
    roster_max_bytes: int
    roster_max_rows: int

    @property
    def sandboxed(self) -> bool:
        """Whether texts go to the sandbox carrier on this machine instead of to real phones."""
        return _here(self.twilio_api_url)

    @property
    def fields_for_texts(self) -> dict[str, str]:
        """The values of the ((fields)) that a text may use, the same for everyone."""
        return {"program": self.program_name, "phone": self.program_phone, "site": self.program_site}


FROM_ENVIRONMENT = (
    "environment",
    "database_url",
    "redis_url",
    "secret_key",
    "key_ring",
    "twilio_auth_token",
    "twilio_auth_token_previous",
    "sendgrid_api_key",
    "inbound_mail_password",
    "smtp_password",
    "postgrid_api_key",
    "postgrid_webhook_secret",
)
"""Settings that a file in config/ may not hold."""


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Raises BadSettings, which names everything that is missing or wrong at once."""
    environment = environ.get("OUTREACH_ENVIRONMENT", "development")
    if environment not in ENVIRONMENTS:
        raise BadSettings([f"OUTREACH_ENVIRONMENT is {environment!r}; it can be one of {', '.join(ENVIRONMENTS)}."])
    values: dict[str, object] = _file("default") | _file(environment) | {"environment": environment}
    problems = [
        f"{name} stands in a file of config/; it belongs in the environment." for name in FROM_ENVIRONMENT[1:] if name in values
    ]
    for name in ("database_url", "redis_url"):
        if address := environ.get(name.upper()):
            values[name] = address
    for field in fields(Settings):
        given = environ.get(f"OUTREACH_{field.name.upper()}")
        if given is not None and field.name != "environment":
            values[field.name] = given
    missing = [f for f in fields(Settings) if f.name not in values and f.default is MISSING]
    for field in missing:
        variable = field.name.upper() if field.name in ("database_url", "redis_url") else f"OUTREACH_{field.name.upper()}"
        problems.append(f"{variable} is not set (see config/secrets.example.env).")
    if problems:
        raise BadSettings(problems)
    converted: dict[str, object] = {}
    for name, value in values.items():
        try:
            converted[name] = _convert(name, value)
        except (ValueError, InvalidOperation, KeyError):
            problems.append(f"{name} is {value!r}, which does not fit: see config/default.toml for its kind and unit.")
    if problems:
        raise BadSettings(problems)
    settings = Settings(**converted)  # type: ignore[arg-type]  # each was converted to its field's type just above
    if refusals := _refusals(settings):
        raise BadSettings(refusals)
    return settings


def _file(name: str) -> dict[str, object]:
    return tomllib.loads((CONFIG / f"{name}.toml").read_text())


_KINDS = {field.name: field.type for field in fields(Settings)}


def _convert(name: str, value: object) -> object:
    kind = _KINDS[name]
    if kind in (int, float, Decimal, Path):
        return kind(str(value))
    if kind is bool:
        return _TRUTH[str(value).casefold()]
    if kind is str:
        return str(value).replace("postgresql://", "postgresql+psycopg://", 1) if name == "database_url" else str(value)
    parts = value.split(",") if isinstance(value, str) else value
    assert isinstance(parts, list)
    return tuple(str(part).strip() for part in parts if str(part).strip())


_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _refusals(settings: Settings) -> list[str]:
    refusals = _unknown_words(settings)
    if settings.mail_provider == "smtp" and settings.smtp_security == "none" and settings.smtp_host not in LOOPBACK:
        refusals.append('smtp_security = "none" is for a relay on this machine only; elsewhere it is "starttls" or "tls".')
    if not 1 <= settings.sms_shortest_validity_seconds <= settings.sms_validity_seconds <= LONGEST_VALIDITY:
        refusals.append(
            f"sms_shortest_validity_seconds is {settings.sms_shortest_validity_seconds} and sms_validity_seconds"
            f" {settings.sms_validity_seconds}; give 1 at least, {LONGEST_VALIDITY} at most, and the shortest not above the other."
        )
    if not _is_zone(settings.carrier_day_zone):
        refusals.append(f"carrier_day_zone is {settings.carrier_day_zone!r}; give a time zone's name, such as America/Los_Angeles.")
    return refusals + (_of_production(settings) if settings.environment == "production" else _of_practice(settings))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _unknown_words(settings: Settings) -> list[str]:
    vendors = tomllib.loads((CONFIG / "print_vendors.toml").read_text(encoding="utf-8"))
    words = {
        "mail_provider": ("sendgrid", "smtp"),
        "post_provider": ("print_room", "postgrid"),
        "smtp_security": ("starttls", "tls", "none"),
        "print_vendor": tuple(vendors),
    }
    return [
        f"{name} is {getattr(settings, name)!r}; it can be one of {', '.join(known)}."
        for name, known in words.items()
        if getattr(settings, name) not in known
    ]


def _of_production(settings: Settings) -> list[str]:
    """What production refuses: sandboxes, and a provider that was chosen without what it needs."""
    refusals = []
    needed = ["twilio_account_sid", "twilio_auth_token", "secret_key"]
    addresses = ["twilio_api_url"]
    if settings.mail_provider == "sendgrid":
        needed += ["sendgrid_api_key", "sendgrid_webhook_keys", "inbound_mail_password"]
        addresses.append("sendgrid_api_url")
    elif settings.mail_provider == "smtp":
        needed += ["smtp_host", *(["smtp_password"] if settings.smtp_username else [])]
    if settings.post_provider == "postgrid":
        needed += ["postgrid_api_key", "postgrid_webhook_secret"]
        addresses.append("postgrid_api_url")
    for name in addresses:
        if _here(getattr(settings, name)):
            refusals.append(f"{name} is a sandbox on this machine; production refuses it.")
        elif not getattr(settings, name).startswith("https://"):
            refusals.append(f"{name} must start with https:// in production.")
    if not settings.public_base_url.startswith("https://"):
        refusals.append("public_base_url must start with https:// in production.")
    refusals += [f"{name} is empty." for name in needed if not getattr(settings, name)]
    if len(settings.secret_key) < 32:
        refusals.append("secret_key is shorter than 32 characters: make one with `openssl rand -hex 32`.")
    return refusals


def _of_practice(settings: Settings) -> list[str]:
    """What everywhere else refuses: providers that would reach people, but for whom somebody has named."""
    refusals = []
    if not settings.sandboxed and not settings.sms_allowed_numbers:
        refusals.append(
            f"twilio_api_url is {settings.twilio_api_url}, a real provider. Outside production, give sms_allowed_numbers the"
            " numbers that may be texted, or use the sandbox."
        )
    mails = {"sendgrid": "sendgrid_api_url", "smtp": "smtp_host"}.get(settings.mail_provider)
    if mails and not _here(getattr(settings, mails)) and not settings.mail_allowed_domains:
        refusals.append(
            f"{mails} is {getattr(settings, mails)!r}, a real provider. Outside production, give mail_allowed_domains the domains"
            " that may be written to, or use the sandbox."
        )
    if settings.post_provider == "postgrid" and not _here(settings.postgrid_api_url):
        refusals.append(
            f"postgrid_api_url is {settings.postgrid_api_url}, a real mail house, which prints and posts. Outside production, use"
            ' the sandbox, or post_provider = "print_room".'
        )
    return refusals


def _here(address: str) -> bool:
    """Whether an address, or a host alone, is this machine's."""
    return (urlsplit(address).hostname or address) in LOOPBACK
