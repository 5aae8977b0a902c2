"""The guarantees of e-mail, letters, hand service and attorneys, and the channel plan that the program ships.

Revision: 0004, after 0003
"""

import importlib

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BEFORE = importlib.import_module("outreach.migrations.versions.0002_guarantees")

LEGAL_MESSAGE_CHANGES = [
    *BEFORE.LEGAL_MESSAGE_CHANGES,
    "submitting>returned",
    "unknown>returned",
    "accepted>returned",
    "sent>returned",
    "delivered>returned",
    "undelivered>returned",
    "failed>returned",
    # Who was elsewhere when it should have left, and is back.
    "cancelled>ready",
]
# Paper that has not left the house can be taken back; what a carrier has accepted cannot.
LEGAL_ON_PAPER = ["accepted>ready", "accepted>cancelled"]

MESSAGE_CHANGE = """
    create or replace function check_message_change() returns trigger language plpgsql as $$
    begin
        if not (old.state || '>' || new.state) = any ('{{{legal}}}'::text[])
            and not (new.channel in ('letter', 'hand', 'attorney_letter')
                and (old.state || '>' || new.state) = any ('{{{paper}}}'::text[])) then
            raise exception 'message % cannot go from % to %', old.id, old.state, new.state
                using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
"""

RENDITION_KEPT = """
    create or replace function keep_rendition_text() returns trigger language plpgsql as $$
    begin
        if old.state <> 'draft' and (new.text, new.subject, new.language, new.channel, new.notice_id, new.version)
            is distinct from (old.text, old.subject, old.language, old.channel, old.notice_id, old.version) then
            raise exception 'rendition % was approved: its text cannot change', old.id using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
"""

OPEN_DESTINATION = """
    create unique index attempt_one_open_destination_key on attempt (channel, contact_point_id)
    where state in ('open', 'unknown') and channel in ('sms', 'email', 'attorney_email')
"""

UPGRADE = [
    MESSAGE_CHANGE.format(legal=",".join(LEGAL_MESSAGE_CHANGES), paper=",".join(LEGAL_ON_PAPER)),
    RENDITION_KEPT,
    "drop index attempt_one_open_destination_key",
    # Many letters go to one facility at a time, and none of them is looked up by its destination.
    OPEN_DESTINATION,
    # A letter is about one person, and only an attorney is written to as an attorney.
    "alter table message add constraint message_letter_check check ((channel in ('letter', 'hand')) = (person_id is not null))",
    """alter table message add constraint message_attorney_check
       check ((channel in ('attorney_email', 'attorney_letter')) = (attorney_id is not null))""",
    # Two people.
    """alter table representation add constraint representation_two_people_check
       check (verified_by is null or entered_by is null or verified_by <> entered_by)""",
    """alter table representation add constraint representation_verified_check
       check ((verified_by is null) = (verified_at is null))""",
    """alter table representation add constraint representation_ended_check
       check ((ended_at is null) = (ended_as is null) and (ended_at is null) = (ended_on is null))""",
    """alter table person_contact add constraint person_contact_two_people_check
       check (reviewed_by is null or entered_by is null or reviewed_by <> entered_by)""",
    # What has ended, or happened, stays so.
    """
    create function keep_ending() returns trigger language plpgsql as $$
    begin
        raise exception 'representation % has ended', old.id using errcode = 'integrity_constraint_violation';
    end $$
    """,
    """create trigger representation_ending_kept before update on representation for each row
       when (old.ended_at is not null and (new.ended_at is null or new.person_id <> old.person_id
           or new.attorney_id <> old.attorney_id or new.verified_at is distinct from old.verified_at))
       execute function keep_ending()""",
    "create trigger hand_service_append_only before update or delete on hand_service for each row execute function refuse_change()",
    """
    create function check_print_run_change() returns trigger language plpgsql as $$
    begin
        if not (old.state || '>' || new.state) = any (
            '{made>printed,made>void,printed>enveloped,printed>void,enveloped>handed_over,enveloped>void}'::text[]) then
            raise exception 'print run % cannot go from % to %', old.id, old.state, new.state
                using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    """create trigger print_run_change_legal before update of state on print_run for each row
       when (old.state is distinct from new.state) execute function check_print_run_change()""",
    """
    create function check_letter_change() returns trigger language plpgsql as $$
    begin
        if not (old.state || '>' || new.state) = any (
            '{on_its_way>pulled,on_its_way>returned,on_its_way>served,on_its_way>not_served}'::text[]) then
            raise exception 'letter % cannot go from % to %', old.attempt_id, old.state, new.state
                using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    """create trigger letter_change_legal before update of state on letter for each row
       when (old.state is distinct from new.state) execute function check_letter_change()""",
]

INSIDE = [("hand", 0), ("attorney_email", 0), ("letter", 24), ("attorney_letter", 24)]
ELSEWHERE = [("attorney_email", 0), ("attorney_letter", 24)]
OUTSIDE = [("sms", 0), ("email", 0), ("letter", 0), ("sms", 72), ("attorney_email", 240), ("attorney_letter", 264)]
ABROAD = [("attorney_email", 0), ("attorney_letter", 72), ("sms", 168), ("email", 168), ("letter", 168)]
PLAN = {
    "detained": INSIDE,
    "in_transit": ELSEWHERE,
    "other_agency": ELSEWHERE,
    "unknown": ELSEWHERE,
    "released": OUTSIDE,
    "relief": OUTSIDE,
    "removed": ABROAD,
    "departed": ABROAD,
}
"""In custody: by hand, then as legal mail, and the attorney the same day. Released: text, e-mail and letter at once, the text again
after three days, the attorney after ten. Removed: the attorney, and nothing abroad before a safety review. Hours after a launch."""

DOWNGRADE = [
    "drop trigger letter_change_legal on letter",
    "drop function check_letter_change()",
    "drop trigger print_run_change_legal on print_run",
    "drop function check_print_run_change()",
    "drop trigger hand_service_append_only on hand_service",
    "drop trigger representation_ending_kept on representation",
    "drop function keep_ending()",
    "alter table person_contact drop constraint person_contact_two_people_check",
    "alter table representation drop constraint representation_ended_check",
    "alter table representation drop constraint representation_verified_check",
    "alter table representation drop constraint representation_two_people_check",
    "alter table message drop constraint message_attorney_check",
    "alter table message drop constraint message_letter_check",
    "drop index attempt_one_open_destination_key",
    """create unique index attempt_one_open_destination_key on attempt (channel, contact_point_id)
       where state in ('open', 'unknown')""",
    "delete from channel_rule",
    *(
        statement.replace("create function", "create or replace function")
        for statement in BEFORE.UPGRADE
        if "create function check_message_change" in statement or "create function keep_rendition_text" in statement
    ),
]  # fmt: skip


RULES = [
    {"custody": custody, "channel": channel, "wait": wait, "review": wait == 168}
    for custody, ways in PLAN.items()
    for channel, wait in ways
]
ADD_RULE = "insert into channel_rule (custody, channel, wait_hours, needs_review) values (:custody, :channel, :wait, :review)"


def upgrade() -> None:
    for statement in UPGRADE:
        op.execute(statement)
    op.get_bind().execute(text(ADD_RULE), RULES)


def downgrade() -> None:
    for statement in DOWNGRADE:
        op.execute(statement)
