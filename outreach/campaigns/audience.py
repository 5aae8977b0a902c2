"""The audience: who a campaign is about, and for each of them whether and where this channel may reach them.

One SQL expression decides, for the preview, for planning and (by the same fragments) again when a message is claimed, so that
the three cannot disagree. It runs over the whole audience at once; there is no loop over people.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from outreach.campaigns.outcome import OutcomeState, Reason

# A text may go to a phone that is known to be safe, or to the person's own phone as long as nothing speaks against it.
# A protected person (8 USC 1367) is written to only where it is known to be safe.
CONTACT_ALLOWED = """(
    cp.state = 'usable' and (pc.safety = 'yes' or (pc.role = 'own' and pc.safety = 'unknown' and not p.protected))
)"""

# Why a person is not texted at all, in the order in which staff should hear it; null when nothing speaks against it.
# In custody: a text may be read by whoever holds the phone. Removed: nothing automatic abroad before a safety review.
PERSON_EXCLUDED = """(case
    when p.custody = 'deceased' then 'deceased'
    when p.custody in ('detained', 'in_transit', 'other_agency') then 'in_custody'
    when p.custody in ('removed', 'departed') then 'removed'
    when p.custody = 'unknown' then 'custody_unknown'
    when p.language is null then 'needs_language'
    when p.reads is false then 'cannot_read'
end)"""

DECIDED = f"""
    approved as (
        select language, id as rendition_id from rendition
        where notice_id = :notice and channel = 'sms' and state = 'approved'
    ),
    audience as (
        select p.id, p.language, p.second_language, p.reads, p.protected, p.custody from person p
        where exists (select 1 from exposure e where e.person_id = p.id and e.incident_id = any(:incidents))
          and (cast(:languages as text[]) is null or p.language = any(:languages))
          and (cast(:custody as text[]) is null or p.custody = any(:custody))
    ),
    best_contact as (
        select distinct on (p.id) p.id as person_id, cp.id as contact_point_id, {CONTACT_ALLOWED} as allowed,
            case cp.state when 'usable' then case when p.protected then 'protected' else 'unsafe_contact' end
                when 'opted_out' then 'opted_out' when 'quarantined' then 'wrong_number' else 'bad_contact' end as refusal
        from audience p
        join person_contact pc on pc.person_id = p.id
        join contact_point cp on cp.id = pc.contact_point_id and cp.kind = 'phone'
        order by p.id, {CONTACT_ALLOWED} desc, pc.role = 'own' desc, pc.safety = 'yes' desc, pc.confirmed_on desc nulls last,
            cp.state = 'usable' desc, cp.id
    ),
    decided as materialized (
        select p.id as person_id, p.language as spoken, p.custody,
            coalesce(first.language, second.language) as language,
            coalesce(first.rendition_id, second.rendition_id) as rendition_id,
            c.contact_point_id,
            coalesce(
                {PERSON_EXCLUDED},
                case when first.language is null and second.language is null then 'needs_translation' end
            ) as excluded,
            case when c.person_id is null then 'no_contact' when not c.allowed then c.refusal end as exhausted
        from audience p
        left join approved first on first.language = p.language
        left join approved second on second.language = p.second_language
        left join best_contact c on c.person_id = p.id
    )
"""
"""Common table expressions ending in `decided`: one row a person of the audience, with the reason why not, or the contact and text.

A person whose language has no approved text gets the approved one of their recorded second language, never of any other.
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """How many people of one language and custody state get the same decision. `reason` is None for those who get a text."""

    language: str | None
    custody: str
    state: OutcomeState
    reason: Reason | None
    people: int


@dataclass(frozen=True, slots=True)
class Preview:
    """Who would get what, if the campaign were launched now. `texts` is fewer than people where phones are shared."""

    people: int
    texts: int
    texts_by_language: dict[str, int]
    cells: tuple[Cell, ...]

    def count(self, state: OutcomeState, reason: Reason | None = None) -> int:
        return sum(c.people for c in self.cells if c.state == state and reason in (None, c.reason))


def parameters(notice_id: UUID, audience: dict[str, list[str]]) -> dict[str, object]:
    """What `DECIDED` needs. `audience` has `incidents` (ids), and optionally `languages` and `custody`; empty means all."""
    return {
        "notice": notice_id,
        "incidents": [UUID(i) for i in audience.get("incidents", [])],
        "languages": audience.get("languages") or None,
        "custody": audience.get("custody") or None,
    }


def preview(session: Session, notice_id: UUID, audience: dict[str, list[str]]) -> Preview:
    """Counts only; nothing is decrypted and nothing is stored."""
    chosen = parameters(notice_id, audience)
    rows = session.execute(
        text(f"""
            with {DECIDED}
            select spoken, custody,
                case when excluded is not null then 'excluded' when exhausted is not null then 'exhausted'
                    else 'planned' end as state,
                coalesce(excluded, exhausted) as reason, count(*) as people
            from decided group by 1, 2, 3, 4 order by people desc, 1, 2, 3, 4
        """),
        chosen,
    )
    cells = tuple(Cell(r.spoken, r.custody, OutcomeState(r.state), Reason(r.reason) if r.reason else None, r.people) for r in rows)
    texts = session.execute(
        text(f"""
            with {DECIDED}
            select language, count(distinct contact_point_id) as texts from decided
            where excluded is null and exhausted is null group by language order by language
        """),
        chosen,
    )
    by_language = {r.language: r.texts for r in texts}
    return Preview(sum(c.people for c in cells), sum(by_language.values()), by_language, cells)


def fingerprint(session: Session, audience: dict[str, list[str]]) -> tuple[str, int]:
    """A digest of exactly who is in the audience, and how many they are."""
    row = session.execute(
        text("""
            select coalesce(encode(sha256(string_agg(uuid_send(id), '' order by id)), 'hex'), '') as digest,
                count(*) as people
            from person p
            where exists (select 1 from exposure e where e.person_id = p.id and e.incident_id = any(:incidents))
              and (cast(:languages as text[]) is null or p.language = any(:languages))
              and (cast(:custody as text[]) is null or p.custody = any(:custody))
        """),
        parameters(UUID(int=0), audience),
    ).one()
    return row.digest, row.people
