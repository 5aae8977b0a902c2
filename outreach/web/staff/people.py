"""People: the list, the search, and one person's file."""
from flask import Blueprint
from outreach.web.gate import allow
pages = Blueprint("people", __name__, url_prefix="/people")
@pages.get("")
@allow()
def index(): return ""
