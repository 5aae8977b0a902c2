"""How gunicorn serves the panel and the webhooks. Figures: docs/deploy.md."""

import gc
import os

bind = os.environ.get("OUTREACH_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("OUTREACH_WEB_WORKERS", "2"))
threads = int(os.environ.get("OUTREACH_WEB_THREADS", "8"))
worker_class = "gthread"
timeout = 60  # seconds
graceful_timeout = 20
keepalive = 15  # seconds: a provider's callbacks come in on few connections
max_requests = 50_000
max_requests_jitter = 5_000
accesslog = None  # our own log names routes, never addresses that were called
control_socket_disable = True  # it would lie in the home of whoever starts us, and nobody here asks it anything
limit_request_line = 4094
limit_request_fields = 64


def post_worker_init(worker: object) -> None:  # noqa: ARG001  # gunicorn hands it over
    """What is loaded by now stays for good: to look through it for garbage again and again costs some request 0.1 s each time."""
    gc.collect()
    gc.freeze()
