"""What the sandbox is started with, from the environment and the command line."""

import socket
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from outreach.sandbox.command import command
from outreach.sandbox.config import OPTIONS, Config, ConfigError, from_environment


def test_every_option_but_the_templates_can_come_from_the_environment() -> None:
    assert {field.name for field in fields(Config)} - set(OPTIONS) == {"templates"}
    assert set(OPTIONS) <= {field.name for field in fields(Config)}


def test_options_are_read_from_the_environment_in_their_own_types() -> None:
    found = from_environment(
        {
            "TWILIO_AUTH_TOKEN": "token",
            "SANDBOX_BOOKS": "books.sqlite",
            "SANDBOX_PORT": "8025",
            "SANDBOX_NUMBERS": "+12025550100, +12025550101",
            "SANDBOX_POPULATION": "yes",
            "SANDBOX_STATUS_DELAY_MS": "",
            "OTHER": "ignored",
        }
    )
    assert found == {
        "auth_token": "token",
        "books": Path("books.sqlite"),
        "port": 8025,
        "numbers": ("+12025550100", "+12025550101"),
        "population": True,
    }


@pytest.mark.parametrize(("name", "value"), [("SANDBOX_PORT", "many"), ("SANDBOX_POPULATION", "maybe")])
def test_a_value_that_cannot_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        from_environment({name: value})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"auth_token": ""}, "TWILIO_AUTH_TOKEN"),
        ({"account_sid": "AC12"}, "32 hexadecimal"),
        ({"local_base": "http://127.0.0.1:5000"}, "needs the public one"),
    ],
)
def test_a_configuration_that_cannot_work_says_what_is_wrong(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Config(**({"auth_token": "token", "books": Path("books")} | options))  # type: ignore[arg-type]


def test_the_command_says_in_a_sentence_that_its_port_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(
            command,
            ["--port", str(taken.getsockname()[1]), "--books", str(tmp_path / "books")],
            env={"TWILIO_AUTH_TOKEN": "token"},
        )
    assert result.exit_code == 1
    assert "Choose another port with --port" in result.output


def test_the_command_asks_for_the_token_it_needs() -> None:
    result = CliRunner().invoke(command, [], env={"TWILIO_AUTH_TOKEN": ""})
    assert result.exit_code == 1
    assert "TWILIO_AUTH_TOKEN" in result.output


def test_the_secrets_are_not_shown_with_the_configuration() -> None:
    shown = repr(Config(auth_token="first-secret", control_token="second-secret", books=Path("books")))
    assert "secret" not in shown
