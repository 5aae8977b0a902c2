"""The guarantees that the schema keeps, whatever the code does.

Revision: 0002, after 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LEGAL_MESSAGE_CHANGES = [
    "ready>submitting",
    "ready>cancelled",
    "ready>blocked",
    "ready>accepted",
    "ready>sent",
    "ready>delivered",
    "submitting>ready",
    "submitting>unknown",
    "submitting>accepted",
    "submitting>sent",
    "submitting>delivered",
    "submitting>undelivered",
    "submitting>failed",
    "unknown>ready",
    "unknown>accepted",
    "unknown>sent",
    "unknown>delivered",
    "unknown>undelivered",
    "unknown>failed",
    "accepted>sent",
    "accepted>delivered",
    "accepted>undelivered",
    "accepted>failed",
    "sent>delivered",
    "sent>undelivered",
    "sent>failed",
    "undelivered>delivered",
    "undelivered>ready",
    "undelivered>cancelled",
    "failed>delivered",
    "failed>accepted",
    "failed>sent",
    "cancelled>delivered",
    "blocked>delivered",
    "blocked>ready",
    "blocked>cancelled",
]

UPGRADE = [
    # Audit: append-only, and one row that says where the chain ends.
    "insert into audit_head (id, seq, mac) values (1, 0, decode(repeat('00', 32), 'hex'))",
    """
    create function refuse_change() returns trigger language plpgsql as $$
    begin
        raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
    end $$
    """,
    "create trigger audit_entry_append_only before update or delete on audit_entry for each row execute function refuse_change()",
    "create trigger audit_entry_no_truncate before truncate on audit_entry for each statement execute function refuse_change()",
    "create trigger custody_event_append_only before update or delete on custody_event for each row execute function refuse_change()",
    "create trigger event_no_delete before delete on event for each row execute function refuse_change()",
    "alter table audit_head add constraint audit_head_one_row_check check (id = 1)",
    # Two people: nobody approves their own work.
    """alter table campaign add constraint campaign_two_people_check
       check (approved_by is null or (approved_by <> created_by and approved_by <> submitted_by and submitted_digest is not null))""",
    """alter table rendition add constraint rendition_two_people_check
       check (approved_by is null or drafted_by is null or approved_by <> drafted_by)""",
    """alter table rendition add constraint rendition_approved_check
       check (state = 'draft' or (approved_by is not null and approved_at is not null and policy is not null))""",
    """
    create function keep_rendition_text() returns trigger language plpgsql as $$
    begin
        if old.state <> 'draft' and (new.text, new.language, new.channel, new.notice_id, new.version)
            is distinct from (old.text, old.language, old.channel, old.notice_id, old.version) then
            raise exception 'rendition % was approved: its text cannot change', old.id using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    "create trigger rendition_text_kept before update on rendition for each row execute function keep_rendition_text()",
    # Messages: only the drawn changes of state, and never back from what is final.
    f"""
    create function check_message_change() returns trigger language plpgsql as $$
    begin
        if not (old.state || '>' || new.state) = any ('{{{",".join(LEGAL_MESSAGE_CHANGES)}}}'::text[]) then
            raise exception 'message % cannot go from % to %', old.id, old.state, new.state
                using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    """create trigger message_change_legal before update of state on message for each row
       when (old.state is distinct from new.state) execute function check_message_change()""",
    """
    create function check_attempt_change() returns trigger language plpgsql as $$
    begin
        if new.state = 'open' or (old.state in ('not_sent', 'refused') and new.state in ('unknown', 'not_sent', 'refused')) then
            raise exception 'attempt % cannot go from % to %', old.id, old.state, new.state
                using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    """create trigger attempt_change_legal before update of state on attempt for each row
       when (old.state is distinct from new.state) execute function check_attempt_change()""",
    # Custody: what is known now, projected from the events. One statement for a whole import's worth of events.
    """
    create function project_custody() returns trigger language plpgsql as $$
    begin
        update person set custody = newest.state, facility_id = newest.facility_id,
            custody_since = newest.effective_on, custody_as_of = newest.as_of
        from (
            select distinct on (person_id) person_id, state, facility_id, effective_on, as_of
            from custody_event where person_id in (select person_id from added)
            order by person_id, as_of desc, effective_on desc nulls last, recorded_at desc, id desc
        ) newest
        where person.id = newest.person_id
          and (person.custody, person.facility_id, person.custody_since, person.custody_as_of)
              is distinct from (newest.state, newest.facility_id, newest.effective_on, newest.as_of);
        return null;
    end $$
    """,
    """create trigger custody_projected after insert on custody_event referencing new table as added
       for each statement execute function project_custody()""",
    # Ids made in SQL are ordered by time where the server can do that (PostgreSQL 18), else random.
    """
    do $do$ begin
        if current_setting('server_version_num')::int >= 180000 then
            execute 'create function new_id() returns uuid language sql volatile parallel safe as $f$ select uuidv7() $f$';
        else
            execute 'create function new_id() returns uuid language sql volatile parallel safe as $f$ select gen_random_uuid() $f$';
        end if;
    end $do$
    """,
]

DOWNGRADE = [
    "drop function new_id()",
    "drop trigger custody_projected on custody_event",
    "drop function project_custody()",
    "drop trigger attempt_change_legal on attempt",
    "drop function check_attempt_change()",
    "drop trigger message_change_legal on message",
    "drop function check_message_change()",
    "drop trigger rendition_text_kept on rendition",
    "drop function keep_rendition_text()",
    "alter table rendition drop constraint rendition_approved_check",
    "alter table rendition drop constraint rendition_two_people_check",
    "alter table campaign drop constraint campaign_two_people_check",
    "alter table audit_head drop constraint audit_head_one_row_check",
    "drop trigger event_no_delete on event",
    "drop trigger custody_event_append_only on custody_event",
    "drop trigger audit_entry_no_truncate on audit_entry",
    "drop trigger audit_entry_append_only on audit_entry",
    "drop function refuse_change()",
    "delete from audit_head",
]


def upgrade() -> None:
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE:
        op.execute(statement)
