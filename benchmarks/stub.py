"""A provider that accepts every text and mail at once: as little work as an answer of its shape takes. Prints its address."""

import asyncio
import itertools
import json
from urllib.parse import parse_qsl

from aiohttp import web

_numbers = itertools.count(1)


async def _create(request: web.Request) -> web.Response:
    """https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource"""
    form = dict(parse_qsl((await request.read()).decode()))
    answer: dict[str, object] = {
        "account_sid": request.match_info["account"],
        "api_version": "2010-04-01",
        "body": form["Body"],
        "date_created": "Thu, 24 Nov 2022 18:00:00 +0000",
        "date_sent": None,
        "date_updated": "Thu, 24 Nov 2022 18:00:00 +0000",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": form["From"],
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": f"SM{next(_numbers):032x}",
        "status": "queued",
        "subresource_uris": {},
        "to": form["To"],
        "uri": "",
    }
    return web.Response(text=json.dumps(answer), status=201, content_type="application/json")


async def _mail(request: web.Request) -> web.Response:
    """https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send"""
    await request.read()
    return web.Response(status=202, headers={"X-Message-Id": f"bench{next(_numbers):017x}"})


async def _main() -> None:
    app = web.Application()
    app.router.add_post("/v3/mail/send", _mail)
    app.router.add_post("/2010-04-01/Accounts/{account}/Messages.json", _create)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
