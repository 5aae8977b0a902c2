"""One worker that sends, as a process of its own: the real dispatch, or a bare loop. Prints one JSON object.

python -m benchmarks.sender system | python -m benchmarks.sender bare COUNT
"""

import asyncio
import json
import sys
from collections import Counter
from dataclasses import asdict
from uuid import uuid4

from sqlalchemy import Engine, event
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from benchmarks import people
from benchmarks.figure import Spent
from outreach import jobs
from outreach.settings import Settings


def system() -> dict[str, object]:
    """What `jobs.dispatch` does, again and again until nothing is due."""
    counts: Counter[str] = Counter()
    event.listen(Engine, "before_cursor_execute", lambda *_: counts.update(["statements"]))
    event.listen(Engine, "begin", lambda *_: counts.update(["begins"]))
    event.listen(Engine, "commit", lambda *_: counts.update(["commits"]))
    event.listen(Engine, "rollback", lambda *_: counts.update(["rollbacks"]))
    machine = jobs.machine()
    start, sent, more = Spent.now(), 0, True
    while more:
        worked = jobs.send_due(machine)
        sent, more = sent + worked.sent, worked.more
    return {"sent": sent, "counts": counts} | asdict(Spent.now().since(start))


def bare(count: int) -> dict[str, object]:
    """The same texts to the same numbers through the same library, as its documentation has it, and nothing else."""
    chosen = jobs.machine().settings
    texts = list(people.envelopes(count, jobs.house(chosen)))
    start = Spent.now()
    asyncio.run(_post_all(chosen, texts))
    return {"sent": count} | asdict(Spent.now().since(start))


async def _post_all(chosen: Settings, texts: list[tuple[str, str]]) -> None:
    async with AsyncTwilioHttpClient() as http:
        client = Client(chosen.twilio_account_sid, chosen.twilio_auth_token, http_client=http)
        client.api.base_url = chosen.twilio_api_url
        waiting = iter(texts)

        async def lane() -> None:
            for to, body in waiting:
                await client.messages.create_async(
                    to=to,
                    body=body,
                    from_=chosen.sms_sender,
                    status_callback=f"{chosen.public_base_url}/webhooks/twilio/status/{uuid4()}#rc=5&rp=all",
                    validity_period=chosen.sms_validity_seconds,
                )

        await asyncio.gather(*(lane() for _ in range(chosen.sms_in_flight)))


if __name__ == "__main__":
    print(json.dumps(system() if sys.argv[1] == "system" else bare(int(sys.argv[2]))))
