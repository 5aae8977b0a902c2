"""The system's own secrets: made once, kept, and completed where an earlier version had fewer."""

import json
from pathlib import Path

from outreach.cli import system
from outreach.sandbox.mail_key import private_key


def test_secrets_of_an_earlier_version_are_kept_and_those_it_lacked_are_added(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    earlier = {"secret_key": "1" * 64, "twilio_auth_token": "2" * 64, "sandbox_control_token": "3" * 64}
    path.write_text(json.dumps(earlier))
    found = system._secrets(path)
    assert found | earlier == found
    assert set(found) == set(system.SECRETS)
    assert private_key(found["sandbox_webhook_key"]).key_size == 256
    assert path.stat().st_mode & 0o077 == 0
    assert system._secrets(path) == found
