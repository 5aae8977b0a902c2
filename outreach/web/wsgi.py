"""The application as gunicorn loads it: `gunicorn -c config/gunicorn.py outreach.web.wsgi:app`."""

from functools import partial

from outreach import jobs, logs, settings
from outreach.web import create_app

logs.start()
chosen = settings.load()
app = create_app(chosen, ring=partial(jobs.ring, chosen))
