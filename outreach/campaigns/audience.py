"""The audience: who a campaign is about, and for each of them whether and where each channel may reach them.

One SQL expression a channel decides, for the preview, for planning and (by the same fragments) again when a message is claimed, so
that the three cannot disagree. It runs over the whole audience at once; there is no loop over people.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.campaigns.outcome import OutcomeState, Reason
from outreach.notices.notice import Channel
from outreach.people.attorney import LIVE

Ways = Mapping[Channel, Collection[str] | None]
"""The channels of a ladder, each with the custody states that it is for; None: all that the channel plan allows."""

KIND = {Channel.SMS: "phone", Channel.EMAIL: "email", Channel.LETTER: "post"}
# That there is nothing on file says least of all reasons: any other is kept before it.
NOTHING = "('no_contact', 'no_email', 'no_address')"
NONE_ON_FILE = {Channel.SMS: "no_contact", Channel.EMAIL: "no_email", Channel.LETTER: "no_address", Channel.HAND: "no_facility"}
ATTORNEYS_POINT = {Channel.ATTORNEY_EMAIL: "email_point_id", Channel.ATTORNEY_LETTER: "post_point_id"}

# What a letter can get to. An address that nobody has graded is not believed.
DELIVERABLE = "(cp.state = 'usable' and (cp.kind <> 'post' or coalesce(cp.grade in ('good', 'foreign'), false)))"

# The safe address of a protected person (8 USC 1367) overrides every other. Else, where somebody is held, mail goes to the facility
# and nowhere else.
HAS_SAFE_ADDRESS = """(p.protected and exists (
    select 1 from person_contact safe join contact_point place on place.id = safe.contact_point_id
    where safe.person_id = p.id and safe.safety = 'yes' and place.kind = 'post'
))"""
AT_FACILITY = f"(p.custody = 'detained' and not {HAS_SAFE_ADDRESS})"
HELD = "p.custody = 'detained'"


@cache
def contact_allowed(channel: Channel) -> str:
    """SQL: whether this channel may use the contact point `cp`, linked by `pc`, for the person `p` under the rule `rule`.

    It must be known to be safe, or be the person's own as long as nothing speaks against it. A protected person (8 USC 1367) is
    written to only where it is known to be safe. Family needs the person's written consent, and gets nothing with content in it:
    no letters (nor do attorneys, who have their own). Abroad, somebody must have signed off the contact point.
    """
    content = "and pc.role not in ('family', 'attorney')" if channel is Channel.LETTER else ""
    return f"""(
        {DELIVERABLE}
        and (pc.safety = 'yes' or (pc.role = 'own' and pc.safety = 'unknown' and not p.protected))
        and (pc.role <> 'family' or pc.consent_on is not null) {content}
        and (not rule.needs_review or (pc.safety = 'yes' and pc.reviewed_at is not null))
    )"""


@cache
def contact_refusal(channel: Channel) -> str:
    """SQL: why a contact point of the person may not be used, when `contact_allowed` says so."""
    bad = "bad_address" if channel is Channel.LETTER else "bad_contact"
    return f"""(case
        when cp.state = 'opted_out' then 'opted_out'
        when cp.state = 'quarantined' then 'wrong_number'
        when not {DELIVERABLE} then '{bad}'
        when p.protected and pc.safety <> 'yes' then 'protected'
        when pc.role = 'family' and pc.safety = 'yes' then 'needs_consent'
        when rule.needs_review and pc.reviewed_at is null then 'removed'
        else 'unsafe_contact' end)"""


@cache
def person_excluded(channel: Channel) -> str:
    """SQL: why this channel is not for the person `p` at all, in the order in which staff should hear it; null when it is.

    `rule` is the channel plan's for their custody, with nulls where it has none.
    """
    readable = {
        Channel.SMS: "when p.language is null then 'needs_language' when p.reads is false then 'cannot_read'",
        Channel.HAND: "when p.language is null then 'needs_language'",
    }
    own = "" if channel.to_attorney else readable.get(channel, readable[Channel.SMS])
    return f"""(case
        when p.custody = 'deceased' then 'deceased'
        when rule.needs_review is null then case
            when p.custody in ('detained', 'in_transit', 'other_agency') then 'in_custody'
            when p.custody in ('removed', 'departed') then 'removed'
            when p.custody = 'unknown' then 'custody_unknown'
            else 'not_planned' end
        {own}
    end)"""


def rule(channel: Channel) -> str:
    """SQL: the join that brings the channel plan's `rule` for the person `p`: whether any row of it asks for a review."""
    return f"""left join (
        select custody, bool_or(needs_review) as needs_review from channel_rule where channel = '{channel}' group by custody
    ) rule on rule.custody = p.custody"""


_AUDIENCE = """
    audience as (
        select p.id, p.language, p.second_language, p.reads, p.protected, p.custody, p.facility_id from person p
        where exists (select 1 from exposure e where e.person_id = p.id and e.incident_id = any(:incidents))
          and (cast(:languages as text[]) is null or p.language = any(:languages))
          and (cast(:custody as text[]) is null or p.custody = any(:custody)) {among}
    )
"""
AUDIENCE = _AUDIENCE.format(among="")
AMONG = _AUDIENCE.format(among="and p.id = any(:among)")
"""Those of the audience who are `:among` these."""


@cache
def decided(channel: Channel) -> str:
    """Common table expressions that end in `decided_<channel>`; `audience` comes before them.

    One row a person of the audience (and, for an attorneys' channel, a row for each attorney): the contact point and text, or
    `excluded` or `exhausted`, the reason why not. `applicable`: the channel plan has this channel for people of their custody.
    """
    return _decided_for_attorneys(channel) if channel.to_attorney else _decided_for_people(channel)


def _chosen(channel: Channel) -> str:
    """SQL: whether the step is for people of this custody."""
    return f"(cast(:{channel}_custodies as text[]) is null or p.custody = any(:{channel}_custodies))"


def _decided_for_people(channel: Channel) -> str:
    """A person whose language has no approved text gets the approved one of their second language, never of any other."""
    own = f"""
        select distinct on (p.id) p.id as person_id, cp.id as contact_point_id, {contact_allowed(channel)} as allowed,
            {contact_refusal(channel)} as refusal
        from audience p
        {rule(channel)}
        join person_contact pc on pc.person_id = p.id
        join contact_point cp on cp.id = pc.contact_point_id and cp.kind = '{KIND.get(channel)}'
        {f"where not {AT_FACILITY}" if channel is Channel.LETTER else ""}
        order by p.id, {contact_allowed(channel)} desc, pc.role = 'own' desc, pc.safety = 'yes' desc,
            pc.confirmed_on desc nulls last, cp.state = 'usable' desc, cp.id
    """
    facility = f"""
        select p.id as person_id, cp.id as contact_point_id, {DELIVERABLE} as allowed, 'no_facility' as refusal
        from audience p
        join facility f on f.id = p.facility_id
        join contact_point cp on cp.id = f.post_point_id
        where {HELD if channel is Channel.HAND else AT_FACILITY}
    """
    best = {Channel.LETTER: f"({own}) union all ({facility})", Channel.HAND: facility}.get(channel, own)
    return f"""
    approved_{channel} as (
        select language, id as rendition_id from rendition
        where notice_id = :notice and channel = '{channel.rendition}' and state = 'approved'
    ),
    best_{channel} as ({best}),
    decided_{channel} as materialized (
        select p.id as person_id, p.language as spoken, p.custody, cast(null as uuid) as attorney_id,
            rule.needs_review is not null and {_chosen(channel)} as applicable,
            coalesce(first.language, second.language) as language,
            coalesce(first.rendition_id, second.rendition_id) as rendition_id,
            c.contact_point_id,
            coalesce(
                {person_excluded(channel)},
                case when not {_chosen(channel)} then 'not_planned'
                    when first.language is null and second.language is null then 'needs_translation' end
            ) as excluded,
            case when c.person_id is null then {_nothing(channel)} when not c.allowed then c.refusal end as exhausted
        from audience p
        {rule(channel)}
        left join approved_{channel} first on first.language = p.language
        left join approved_{channel} second on second.language = p.second_language
        left join best_{channel} c on c.person_id = p.id
    )"""


def _nothing(channel: Channel) -> str:
    none = f"'{NONE_ON_FILE[channel]}'"
    return f"case when {AT_FACILITY} then 'no_facility' else {none} end" if channel is Channel.LETTER else none


def _decided_for_attorneys(channel: Channel) -> str:
    return f"""
    approved_{channel} as (
        select language, id as rendition_id from rendition
        where notice_id = :notice and channel = '{channel}' and state = 'approved' and language = 'en'
    ),
    decided_{channel} as materialized (
        select p.id as person_id, p.language as spoken, p.custody, a.id as attorney_id,
            rule.needs_review is not null and {_chosen(channel)} as applicable,
            approved.language, approved.rendition_id, cp.id as contact_point_id,
            coalesce(
                {person_excluded(channel)},
                case when not {_chosen(channel)} then 'not_planned' when a.id is null then 'no_counsel'
                    when approved.language is null then 'needs_translation' end
            ) as excluded,
            case when not coalesce({DELIVERABLE}, false) then 'attorney_unreachable' end as exhausted
        from audience p
        {rule(channel)}
        left join (select distinct rep.person_id, rep.attorney_id from representation rep where {LIVE}) live
            on live.person_id = p.id
        left join attorney a on a.id = live.attorney_id
        left join contact_point cp on cp.id = a.{ATTORNEYS_POINT[channel]}
        left join approved_{channel} approved on true
    )"""


@dataclass(frozen=True, slots=True)
class Cell:
    """How many people of one language and custody state get the same decision. `reason` is None for those who get a message."""

    language: str | None
    custody: str
    state: OutcomeState
    reason: Reason | None
    people: int


@dataclass(frozen=True, slots=True)
class Preview:
    """Who would get what, if the campaign were launched now. Where phones are shared, there are fewer messages than people.

    `cells` sum to the audience: somebody whom any channel reaches is planned. `people_by_channel` overlap. `counsel` counts the
    audience by the attorneys' track: "represented", "none", or "unreachable"; it is empty without such a channel.
    """

    people: int
    cells: tuple[Cell, ...]
    messages: Counter[tuple[Channel, str]]
    people_by_channel: Counter[Channel]
    counsel: Counter[str] = field(default_factory=Counter)

    def count(self, state: OutcomeState, reason: Reason | None = None) -> int:
        return sum(c.people for c in self.cells if c.state == state and reason in (None, c.reason))

    def by_channel(self) -> Counter[Channel]:
        """Messages of each channel, in every language."""
        found = Counter[Channel]()
        for (channel, _), messages in self.messages.items():
            found[channel] += messages
        return found


def parameters(notice_id: UUID, audience: dict[str, list[str]], ways: Ways) -> dict[str, object]:
    """What `decided` needs. `audience` has `incidents` (ids), and optionally `languages` and `custody`; empty means all."""
    return {
        "notice": notice_id,
        "incidents": [UUID(i) for i in audience.get("incidents", [])],
        "languages": audience.get("languages") or None,
        "custody": audience.get("custody") or None,
    } | {f"{channel}_custodies": list(custodies) if custodies is not None else None for channel, custodies in ways.items()}


def _in_order(ways: Ways) -> list[Channel]:
    return sorted(ways, key=list(Channel).index)


def expected(ways: Ways) -> str:
    """Common table expressions that end in `standing`: one row a person, with where they would stand after a launch, and why.

    Somebody whom any channel reaches is planned. The reason of somebody whom none reaches is of the channels that are for people
    of their custody, the first of them that says more than that there is nothing on file.
    """
    channels = _in_order(ways)
    union = " union all ".join(
        f"select person_id, spoken, custody, {order} as position, applicable, excluded, exhausted from decided_{channel}"
        for order, channel in enumerate(channels)
        if not channel.to_attorney
    ) or "select id as person_id, language, custody, 0, false, 'not_planned', cast(null as text) from audience"  # fmt: skip
    return f"""{AUDIENCE}{"".join(f", {decided(channel)}" for channel in channels)},
        either(person_id, spoken, custody, position, applicable, excluded, exhausted) as ({union}),
        standing as (
            select distinct on (person_id) person_id, spoken, custody, coalesce(excluded, exhausted) as reason,
                case when excluded is not null then 'excluded' when exhausted is not null then 'exhausted'
                    else 'planned' end as state
            from either
            order by person_id, excluded is null and exhausted is null desc, applicable desc,
                coalesce(exhausted in {NOTHING}, false), position
        )"""


def preview(session: Session, notice_id: UUID, audience: dict[str, list[str]], ways: Ways) -> Preview:
    """Counts only; nothing is decrypted and nothing is stored."""
    channels = _in_order(ways)
    chosen = parameters(notice_id, audience, ways)
    with_all = f"with {AUDIENCE}, {', '.join(decided(channel) for channel in channels)}"
    rows = session.execute(
        text(f"""
            with {expected(ways)}
            select spoken, custody, state, reason, count(*) as people
            from standing group by 1, 2, 3, 4 order by people desc, 1, 2, 3, 4
        """),
        chosen,
    )
    cells = tuple(Cell(r.spoken, r.custody, OutcomeState(r.state), Reason(r.reason) if r.reason else None, r.people) for r in rows)
    counted = " union all ".join(
        f"select '{channel}' as channel, language, count(distinct {_one_message(channel)}) as messages,"
        f" count(distinct person_id) as people from decided_{channel}"
        " where excluded is null and exhausted is null group by language"
        for channel in channels
    )
    messages, people = Counter[tuple[Channel, str]](), Counter[Channel]()
    for row in session.execute(text(f"{with_all} {counted}"), chosen):
        messages[Channel(row.channel), row.language] += row.messages
        people[Channel(row.channel)] += row.people
    return Preview(sum(c.people for c in cells), cells, messages, people, _counsel(session, with_all, channels, chosen))


def _one_message(channel: Channel) -> str:
    """SQL: what people must share to share a message of this channel."""
    if channel.to_attorney:
        return "attorney_id"
    return "person_id" if channel in (Channel.LETTER, Channel.HAND) else "contact_point_id"


def _counsel(session: Session, with_all: str, channels: Collection[Channel], chosen: dict[str, object]) -> Counter[str]:
    """The audience by what the attorneys' track comes to for each person."""
    attorneys = [channel for channel in channels if channel.to_attorney]
    if not attorneys:
        return Counter()
    union = " union all ".join(f"select person_id, attorney_id, excluded, exhausted from decided_{c}" for c in attorneys)
    rows = session.execute(
        text(f"""
            {with_all},
            each as (
                select person_id, bool_or(attorney_id is not null) as represented,
                    bool_or(excluded is null and exhausted is null) as reachable
                from ({union}) decisions group by person_id
            )
            select case when not represented then 'none' when reachable then 'represented' else 'unreachable' end as counsel,
                count(*) as people
            from each group by 1
        """),
        chosen,
    )
    return Counter({row.counsel: row.people for row in rows})


def fingerprint(session: Session, audience: dict[str, list[str]]) -> tuple[str, int]:
    """A digest of exactly who is in the audience, and how many they are."""
    row = session.execute(
        text(f"""
            with {AUDIENCE}
            select coalesce(encode(sha256(string_agg(uuid_send(id), '' order by id)), 'hex'), '') as digest,
                count(*) as people
            from audience
        """),
        parameters(UUID(int=0), audience, {}),
    ).one()
    return row.digest, row.people
