"""The words for a campaign's outlook: why messages wait, and what decides how long it takes."""

from flask_babel import lazy_gettext as _l

from outreach.delivery.outlook import Bound, Why
from outreach.web.words import Words

WHY: Words = {
    Why.STOPPED: _l("being cancelled, since the campaign was stopped"),
    Why.PAUSED: _l("wait, since the campaign is paused"),
    Why.FROZEN: _l("wait until it is known again what the providers hold: nothing is sent after a restore before that"),
    Why.CANARY: _l("wait until somebody has looked at the first wave and lets the rest go"),
    Why.PER_DAY: _l("wait for the carriers' next day: the limit of this one is reached"),
    Why.HOURS: _l("wait for the hours in which a text may arrive"),
    Why.NO_HOUR: _l("wait until an address frees them: there is no hour that is decent everywhere where their people may be"),
    Why.NEXT_TRY: _l("wait for their next try"),
    Why.PRINT_ROOM: _l("letters are being gathered and set"),
    Why.TURN: _l("are going out, one after the other"),
}

BOUNDS: Words = {
    Bound.RATE: _l("our limit on texts a second decides it"),
    Bound.PER_DAY: _l("its limit a day decides it"),
    Bound.HOURS: _l("the hours in which a text may arrive decide it"),
    Bound.PACE: _l("at the speed of the last minute"),
}
