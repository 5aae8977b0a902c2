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


def test_an_environment_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadSettings, match="OUTREACH_ENVIRONMENT"):
        settings.load(GOOD | {"OUTREACH_ENVIRONMENT": "staging"})


def test_production_starts_when_all_is_well() -> None:
    assert not settings.load(PRODUCTION).sandboxed


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ({"OUTREACH_TWILIO_API_URL": "http://127.0.0.1:8010"}, "sandbox"),
        ({"OUTREACH_TWILIO_API_URL": "http://localhost:8010"}, "sandbox"),
        ({"OUTREACH_PUBLIC_BASE_URL": "http://outreach.example.org"}, "https"),
        ({"OUTREACH_SECRET_KEY": "short"}, "secret_key"),
        ({"OUTREACH_TWILIO_AUTH_TOKEN": ""}, "twilio_auth_token"),
        ({"OUTREACH_TWILIO_ACCOUNT_SID": ""}, "twilio_account_sid"),
    ],
)
def test_production_refuses(override: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadSettings, match=sentence):
        settings.load(PRODUCTION | override)


def test_elsewhere_a_real_provider_needs_the_numbers_that_may_be_texted() -> None:
    real = GOOD | {"OUTREACH_TWILIO_API_URL": "https://api.twilio.com"}
    with pytest.raises(BadSettings, match="sms_allowed_numbers"):
        settings.load(real)
    assert settings.load(real | {"OUTREACH_SMS_ALLOWED_NUMBERS": "+12025550100"}).sms_allowed_numbers == ("+12025550100",)
