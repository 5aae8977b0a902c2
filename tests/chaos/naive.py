"""A deliberately naive sender, to prove that the harness catches doubles: whatever is not a clear yes is simply sent again.

It claims as carefully as ours. What it lacks is the word "unknown".
"""

from typing import Any

from outreach import jobs
from outreach.cli import worker
from outreach.jobs import sending
from outreach.providers.contract import Receipt, Verdict

TRIES = 20


class Stubborn:
    """A provider that is asked until it says yes."""

    def __init__(self, provider: Any) -> None:
        self.provider, self.name, self.in_flight = provider, provider.name, getattr(provider, "in_flight", None)

    async def __aenter__(self) -> "Stubborn":
        await self.provider.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.provider.__aexit__(*exc)

    async def send(self, envelope: Any) -> Receipt:
        receipt: Receipt = await self.provider.send(envelope)
        for _ in range(TRIES):
            if receipt.verdict is Verdict.ACCEPTED:
                break
            receipt = await self.provider.send(envelope)
        return receipt


def main() -> None:
    """A worker as ever, but for its providers."""
    makers: Any = sending
    makers.text_provider = lambda chosen: Stubborn(jobs.text_provider(chosen))
    makers.mail_provider = lambda chosen, vault: Stubborn(jobs.mail_provider(chosen, vault))
    makers.mail_house = lambda chosen: Stubborn(jobs.mail_house(chosen))
    worker.main()
