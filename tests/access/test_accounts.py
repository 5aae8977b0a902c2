"""How passwords are kept. Signing in, limits and roles are tested where they are used: tests/web."""

import subprocess
import sys


def test_passwords_are_hashed_at_least_as_strongly_as_owasp_asks() -> None:
    """https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id, in a process that is no test's."""
    program = "from outreach.access import accounts; print(accounts._hasher.hash('no secret'))"
    hashed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    _, kind, _, parameters, *_ = hashed.split("$")
    costs = {name: int(value) for name, value in (each.split("=") for each in parameters.split(","))}
    assert kind == "argon2id"
    assert costs["m"] >= 19 * 1024
    assert costs["t"] >= 2
