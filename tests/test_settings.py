"""Settings: everything wrong is said at once, and neither a sandbox in production nor a real provider elsewhere gets by."""

from decimal import Decimal

import pytest

from outreach import settings
from outreach.settings import BadSettings

GOOD = {
    "DATABASE_URL": "postgresql://outreach@db.example.org/outreach",
    "REDIS_URL": "redis://redis.example.org/0",
    "OUTREACH_SECRET_KEY": "0" * 64,
    "OUTREACH_KEY_RING": "/etc/outreach/ring.json",
    "OUTREACH_TWILIO_AUTH_TOKEN": "token",
}
PRODUCTION = GOOD | {
    "OUTREACH_ENVIRONMENT": "production",
    "OUTREACH_PUBLIC_BASE_URL": "https://outreach.example.org",
    "OUTREACH_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "OUTREACH_SENDGRID_API_KEY": "key",
    "OUTREACH_SENDGRID_WEBHOOK_KEYS": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
    "OUTREACH_INBOUND_MAIL_PASSWORD": "password",
}
RELAY = PRODUCTION | {"OUTREACH_MAIL_PROVIDER": "smtp", "OUTREACH_SMTP_HOST": "relay.example.org"}
MAIL_HOUSE = PRODUCTION | {
    "OUTREACH_POST_PROVIDER": "postgrid",
    "OUTREACH_POSTGRID_API_KEY": "key",
    "OUTREACH_POSTGRID_WEBHOOK_SECRET": "secret",
}


def test_a_file_gives_the_default_and_the_environment_overrides_it() -> None:
    assert settings.load(GOOD).sms_batch == 200
    assert settings.load(GOOD | {"OUTREACH_SMS_BATCH": "50"}).sms_batch == 50
    assert settings.load(GOOD).sms_segment_price == Decimal("0.0079")
    assert settings.load(GOOD | {"OUTREACH_TRUSTED_HOSTS": "a.example.org, b.example.org"}).trusted_hosts == (
        "a.example.org",
        "b.example.org",
    )


def test_a_database_address_without_a_driver_gets_ours() -> None:
    assert settings.load(GOOD).database_url.startswith("postgresql+psycopg://")


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(BadSettings) as caught:
        settings.load({})
    for name in GOOD:
        assert name in str(caught.value)


def test_a_value_that_does_not_fit_is_named() -> None:
    with pytest.raises(BadSettings, match="sms_batch is 'many'"):
        settings.load(GOOD | {"OUTREACH_SMS_BATCH": "many"})


@pytest.mark.parametrize(("shortest", "longest"), [("0", "14400"), ("300", "36001"), ("900", "600")])
def test_a_validity_that_no_carrier_takes_is_refused(shortest: str, longest: str) -> None:
    override = {"OUTREACH_SMS_SHORTEST_VALIDITY_SECONDS": shortest, "OUTREACH_SMS_VALIDITY_SECONDS": longest}
    with pytest.raises(BadSettings, match="sms_shortest_validity_seconds"):
        settings.load(GOOD | override)


def test_an_environment_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadSettings, match="OUTREACH_ENVIRONMENT"):
        settings.load(GOOD | {"OUTREACH_ENVIRONMENT": "staging"})


@pytest.mark.parametrize("environment", [PRODUCTION, RELAY, MAIL_HOUSE])
def test_production_starts_when_all_is_well(environment: dict[str, str]) -> None:
    assert not settings.load(environment).sandboxed


def test_a_provider_that_was_not_chosen_needs_nothing() -> None:
    without = {name: value for name, value in RELAY.items() if "SENDGRID" not in name and "INBOUND" not in name}
    assert settings.load(without).mail_provider == "smtp"


@pytest.mark.parametrize("name", ["mail_provider", "post_provider", "smtp_security", "print_vendor"])
def test_a_word_that_no_setting_knows_is_refused_with_those_it_knows(name: str) -> None:
    with pytest.raises(BadSettings, match=f"{name} is 'pigeon'; it can be one of ") as caught:
        settings.load(GOOD | {f"OUTREACH_{name.upper()}": "pigeon"})
    assert getattr(settings.load(GOOD), name) in str(caught.value)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ({"OUTREACH_TWILIO_API_URL": "http://127.0.0.1:8010"}, "sandbox"),
        ({"OUTREACH_TWILIO_API_URL": "http://localhost:8010"}, "sandbox"),
        ({"OUTREACH_PUBLIC_BASE_URL": "http://outreach.example.org"}, "https"),
        ({"OUTREACH_SECRET_KEY": "short"}, "secret_key"),
        ({"OUTREACH_TWILIO_AUTH_TOKEN": ""}, "twilio_auth_token"),
        ({"OUTREACH_TWILIO_ACCOUNT_SID": ""}, "twilio_account_sid"),
        ({"OUTREACH_SENDGRID_API_URL": "http://127.0.0.1:8010"}, "sendgrid_api_url is a sandbox"),
        ({"OUTREACH_SENDGRID_API_URL": "http://api.example.org"}, "sendgrid_api_url must start with https"),
        ({"OUTREACH_SENDGRID_API_KEY": ""}, "sendgrid_api_key"),
        ({"OUTREACH_SENDGRID_WEBHOOK_KEYS": ""}, "sendgrid_webhook_keys"),
        ({"OUTREACH_INBOUND_MAIL_PASSWORD": ""}, "inbound_mail_password"),
    ],
)
def test_production_refuses(override: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadSettings, match=sentence):
        settings.load(PRODUCTION | override)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ({"OUTREACH_SMTP_HOST": ""}, "smtp_host is empty"),
        ({"OUTREACH_SMTP_USERNAME": "outreach"}, "smtp_password is empty"),
        ({"OUTREACH_SMTP_SECURITY": "none"}, "relay on this machine only"),
    ],
)
def test_production_refuses_a_relay_without_what_it_needs(override: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadSettings, match=sentence):
        settings.load(RELAY | override)


def test_a_relay_on_this_machine_may_go_without_encryption() -> None:
    local = {"OUTREACH_SMTP_HOST": "127.0.0.1", "OUTREACH_SMTP_SECURITY": "none"}
    assert settings.load(RELAY | local).smtp_security == "none"


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ({"OUTREACH_POSTGRID_API_KEY": ""}, "postgrid_api_key"),
        ({"OUTREACH_POSTGRID_WEBHOOK_SECRET": ""}, "postgrid_webhook_secret"),
        ({"OUTREACH_POSTGRID_API_URL": "http://localhost:8010"}, "postgrid_api_url is a sandbox"),
    ],
)
def test_production_refuses_a_mail_house_without_what_it_needs(override: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadSettings, match=sentence):
        settings.load(MAIL_HOUSE | override)


def test_elsewhere_a_real_provider_needs_the_numbers_that_may_be_texted() -> None:
    real = GOOD | {"OUTREACH_TWILIO_API_URL": "https://api.twilio.com"}
    with pytest.raises(BadSettings, match="sms_allowed_numbers"):
        settings.load(real)
    assert settings.load(real | {"OUTREACH_SMS_ALLOWED_NUMBERS": "+12025550100"}).sms_allowed_numbers == ("+12025550100",)


@pytest.mark.parametrize(
    "real",
    [
        {"OUTREACH_SENDGRID_API_URL": "https://api.sendgrid.com"},
        {"OUTREACH_MAIL_PROVIDER": "smtp", "OUTREACH_SMTP_HOST": "relay.example.org"},
    ],
)
def test_elsewhere_real_mail_needs_the_domains_that_may_be_written_to(real: dict[str, str]) -> None:
    with pytest.raises(BadSettings, match="mail_allowed_domains"):
        settings.load(GOOD | real)
    allowed = settings.load(GOOD | real | {"OUTREACH_MAIL_ALLOWED_DOMAINS": "agency.example.org"})
    assert allowed.mail_allowed_domains == ("agency.example.org",)


def test_elsewhere_no_real_mail_house_prints_anything() -> None:
    real = GOOD | {"OUTREACH_POSTGRID_API_URL": "https://api.postgrid.com"}
    assert settings.load(real).post_provider == "print_room"
    with pytest.raises(BadSettings, match="postgrid_api_url"):
        settings.load(real | {"OUTREACH_POST_PROVIDER": "postgrid"})
