"""Limits, breakers, tasks, books: what the engine needs under fire, and the guarantees of it.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Which life of the database this is, read anew by each statement that asks. A server that keeps something of it to itself gives 0.
# The timeline is that of the log being written: the control file tells of a promotion only after the next checkpoint.
LIFE = """
    create function life(out cluster bigint, out timeline bigint, out relation bigint, out written bigint)
    language plpgsql stable as $$
    begin
        cluster := 0;
        timeline := 0;
        written := 0;
        relation := cast(cast('incarnation' as regclass) as oid);
        begin
            select system_identifier into cluster from pg_control_system();
        exception when insufficient_privilege or undefined_function or feature_not_supported then
            cluster := 0;
        end;
        begin
            select ('x' || left(pg_walfile_name(flushed), 8))::bit(32)::bigint, pg_wal_lsn_diff(flushed, '0/0')::bigint
            into timeline, written from pg_current_wal_flush_lsn() flushed;
        exception when insufficient_privilege or undefined_function or feature_not_supported or object_not_in_prerequisite_state then
            timeline := 0;
            written := 0;
        end;
    end $$
"""

UPGRADE = [
    LIFE,
    # A letter is about one person; so is what goes to the attorney of somebody who cannot wait for the others' time.
    "alter table message drop constraint message_letter_check",
    """alter table message add constraint message_letter_check check (
       case when channel in ('letter', 'hand') then person_id is not null else person_id is null or attorney_id is not null end)""",
    # Two people.
    """alter table step add constraint step_two_people_check
       check (approved_by is null or (added_by is not null and approved_by <> added_by and approved_at is not null))""",
    """alter table imminent_removal add constraint imminent_removal_two_people_check
       check (approved_by is null or (approved_by <> asked_by and approved_at is not null))""",
    # A limit of nothing would be a campaign that looks as if it ran.
    "alter table campaign add constraint campaign_canary_check check (canary > 0)",
    "alter table campaign add constraint campaign_per_day_check check (per_day > 0)",
    "alter table campaign add constraint campaign_spend_cap_check check (spend_cap > 0)",
    """alter table spending add constraint spending_counts_check
       check (messages >= letters and letters >= 0 and segments >= 0 and cost >= 0)""",
    "alter table breaker add constraint breaker_scope_check check ((provider is null) <> (step_id is null))",
    "alter table breaker add constraint breaker_closed_check check (closed_by is null or closed_at is not null)",
    "alter table task add constraint task_about_check check ((kind = 'undecided') = (attempt_id is not null))",
    "alter table task add constraint task_closed_check check ((closed_at is null) = (resolution is null))",
    "alter table incarnation add constraint incarnation_one_row_check check (id = 1)",
    "create trigger task_no_delete before delete on task for each row execute function refuse_change()",
    "create trigger breaker_no_delete before delete on breaker for each row execute function refuse_change()",
]
DOWNGRADE = [
    "alter table message drop constraint message_letter_check",
    "alter table message add constraint message_letter_check check ((channel in ('letter', 'hand')) = (person_id is not null))",
    "drop function life()",
    "drop trigger breaker_no_delete on breaker",
    "drop trigger task_no_delete on task",
    "alter table campaign drop constraint campaign_spend_cap_check",
    "alter table campaign drop constraint campaign_per_day_check",
    "alter table campaign drop constraint campaign_canary_check",
    "alter table step drop constraint step_two_people_check",
]


def upgrade() -> None:
    op.create_table(
        "book_check",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ours", sa.Integer(), nullable=False),
        sa.Column("theirs", sa.Integer(), nullable=False),
        sa.Column("agreed", sa.Integer(), nullable=False),
        sa.Column("wanted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("provider", "day", name=op.f("book_check_pkey")),
    )
    op.create_index("book_check_wanted_idx", "book_check", ["day"], unique=False, postgresql_where="wanted_at is not null")
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("heartbeat_pkey")),
    )
    op.create_table(
        "incarnation",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("deployment", sa.Text(), nullable=False),
        sa.Column("cluster", sa.BigInteger(), nullable=False),
        sa.Column("timeline", sa.BigInteger(), nullable=False),
        sa.Column("relation", sa.BigInteger(), nullable=False),
        sa.Column("reconciled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("incarnation_pkey")),
    )
    op.create_table(
        "look",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("look_attempt_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("look_pkey")),
    )
    op.create_index("look_attempt_idx", "look", ["attempt_id", "id"], unique=False)
    op.create_table(
        "tally",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Uuid(), nullable=True),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rows", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("tally_pkey")),
    )
    op.create_index("tally_key", "tally", ["name", "scope"], unique=True, postgresql_nulls_not_distinct=True)
    op.create_table(
        "sender_pace",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sender", name=op.f("sender_pace_pkey")),
    )
    op.create_table(
        "imminent_removal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["approved_by"], ["account.id"], name=op.f("imminent_removal_approved_by_fkey")),
        sa.ForeignKeyConstraint(["asked_by"], ["account.id"], name=op.f("imminent_removal_asked_by_fkey")),
        sa.ForeignKeyConstraint(["ended_by"], ["account.id"], name=op.f("imminent_removal_ended_by_fkey")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("imminent_removal_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("imminent_removal_pkey")),
    )
    op.create_index(
        "imminent_removal_open_key", "imminent_removal", ["person_id"], unique=True, postgresql_where="ended_at is null"
    )
    op.create_table(
        "spending",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("letters", sa.Integer(), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("spending_campaign_id_fkey")),
        sa.PrimaryKeyConstraint("campaign_id", "day", name=op.f("spending_pkey")),
    )
    op.create_table(
        "breaker",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("step_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["closed_by"], ["account.id"], name=op.f("breaker_closed_by_fkey")),
        sa.ForeignKeyConstraint(["step_id"], ["step.id"], name=op.f("breaker_step_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("breaker_pkey")),
    )
    op.create_index(
        "breaker_open_key",
        "breaker",
        ["kind", "provider", "step_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where="closed_at is null",
    )
    op.create_index("breaker_step_idx", "breaker", ["step_id", "closed_at"], unique=False)
    op.create_table(
        "book_difference",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("our_state", sa.Text(), nullable=True),
        sa.Column("their_state", sa.Text(), nullable=True),
        sa.Column("their_status", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("book_difference_attempt_id_fkey")),
        sa.ForeignKeyConstraint(
            ["provider", "day"],
            ["book_check.provider", "book_check.day"],
            name=op.f("book_difference_provider_day_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("book_difference_pkey")),
    )
    op.create_index("book_difference_attempt_idx", "book_difference", ["attempt_id"], unique=False)
    op.create_index("book_difference_check_idx", "book_difference", ["provider", "day"], unique=False)
    op.create_table(
        "task",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("attempt_id", sa.Uuid(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("task_attempt_id_fkey")),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("task_campaign_id_fkey")),
        sa.ForeignKeyConstraint(["closed_by"], ["account.id"], name=op.f("task_closed_by_fkey")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("task_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("task_pkey")),
    )
    op.create_index("task_attempt_idx", "task", ["attempt_id"], unique=False)
    op.create_index(
        "task_open_key",
        "task",
        ["kind", "campaign_id", "person_id", "attempt_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where="closed_at is null",
    )
    op.create_index("task_person_idx", "task", ["person_id"], unique=False)
    op.create_index("task_waiting_idx", "task", ["opened_at", "id"], unique=False, postgresql_where="closed_at is null")
    op.add_column("attempt", sa.Column("redacted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("attempt", sa.Column("redactions", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("attempt", sa.Column("redact_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("reply", sa.Column("redacted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("reply", sa.Column("redactions", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("reply", sa.Column("redact_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "reply_unredacted_idx", "reply", ["provider", "received_at"], unique=False, postgresql_where="redacted_at is null"
    )
    op.create_index("attempt_started_idx", "attempt", ["provider", "started_at"], unique=False)
    op.create_index(
        "attempt_unredacted_idx",
        "attempt",
        ["provider", "finished_at"],
        unique=False,
        postgresql_where="redacted_at is null and state in ('sent', 'delivered', 'undelivered', 'failed')",
    )
    op.add_column("attempt", sa.Column("cost", sa.Numeric(precision=10, scale=4), nullable=True))
    op.add_column("attempt", sa.Column("counted_on", sa.Date(), nullable=True))
    op.add_column("campaign", sa.Column("state_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("campaign", sa.Column("state_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("campaign_state_by_fkey"), "campaign", "account", ["state_by"], ["id"])
    op.add_column("campaign", sa.Column("canary", sa.Integer(), nullable=True))
    op.add_column("campaign", sa.Column("canary_passed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("campaign", sa.Column("canary_passed_by", sa.Uuid(), nullable=True))
    op.add_column("campaign", sa.Column("per_day", sa.Integer(), nullable=True))
    op.add_column("campaign", sa.Column("spend_cap", sa.Numeric(precision=14, scale=4), nullable=True))
    op.create_foreign_key(op.f("campaign_canary_passed_by_fkey"), "campaign", "account", ["canary_passed_by"], ["id"])
    op.add_column("contact_point", sa.Column("place_zones", sa.ARRAY(sa.Text()), nullable=True))
    op.create_index(
        "contact_point_unplaced_idx",
        "contact_point",
        ["id"],
        unique=False,
        postgresql_where="kind = 'post' and place_zones is null",
    )
    op.drop_index(op.f("message_ready_idx"), table_name="message", postgresql_where="(state = 'ready'::text)")
    op.create_index("message_ready_idx", "message", ["step_id", "due_at"], unique=False, postgresql_where="state = 'ready'")
    op.create_index(
        "message_filtered_idx", "message", ["step_id", "updated_at"], unique=False, postgresql_where="reason = 'filtered'"
    )
    op.create_index(
        "contact_point_complaint_idx",
        "contact_point",
        ["state_at"],
        unique=False,
        postgresql_where="state_reason like '%spam_report'",
    )
    op.create_index(
        "message_silent_idx",
        "message",
        ["step_id", "updated_at"],
        unique=False,
        postgresql_where="state in ('unknown', 'accepted', 'sent')",
    )
    op.add_column("outcome", sa.Column("rung", sa.SmallInteger(), server_default="0", nullable=False))
    op.create_index(
        "outcome_not_reached_idx",
        "outcome",
        ["campaign_id", "rung"],
        unique=False,
        postgresql_where="state in ('exhausted', 'excluded')",
    )
    op.add_column("step", sa.Column("added_by", sa.Uuid(), nullable=True))
    op.add_column("step", sa.Column("added_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("step", sa.Column("approved_by", sa.Uuid(), nullable=True))
    op.add_column("step", sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(op.f("step_added_by_fkey"), "step", "account", ["added_by"], ["id"])
    op.create_foreign_key(op.f("step_approved_by_fkey"), "step", "account", ["approved_by"], ["id"])
    for statement in UPGRADE:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE:
        op.execute(statement)
    op.drop_constraint(op.f("step_approved_by_fkey"), "step", type_="foreignkey")
    op.drop_constraint(op.f("step_added_by_fkey"), "step", type_="foreignkey")
    op.drop_column("step", "approved_at")
    op.drop_column("step", "approved_by")
    op.drop_column("step", "added_at")
    op.drop_column("step", "added_by")
    op.drop_index("outcome_not_reached_idx", table_name="outcome", postgresql_where="state in ('exhausted', 'excluded')")
    op.drop_column("outcome", "rung")
    op.drop_index("message_silent_idx", table_name="message", postgresql_where="state in ('unknown', 'accepted', 'sent')")
    op.drop_index("contact_point_complaint_idx", table_name="contact_point", postgresql_where="state_reason like '%spam_report'")
    op.drop_index("message_filtered_idx", table_name="message", postgresql_where="reason = 'filtered'")
    op.drop_index("message_ready_idx", table_name="message", postgresql_where="state = 'ready'")
    op.create_index(
        op.f("message_ready_idx"),
        "message",
        ["campaign_id", "channel", "due_at"],
        unique=False,
        postgresql_where="(state = 'ready'::text)",
    )
    op.drop_index(
        "contact_point_unplaced_idx", table_name="contact_point", postgresql_where="kind = 'post' and place_zones is null"
    )
    op.drop_column("contact_point", "place_zones")
    op.drop_constraint(op.f("campaign_canary_passed_by_fkey"), "campaign", type_="foreignkey")
    op.drop_column("campaign", "spend_cap")
    op.drop_column("campaign", "per_day")
    op.drop_column("campaign", "canary_passed_by")
    op.drop_column("campaign", "canary_passed_at")
    op.drop_column("campaign", "canary")
    op.drop_constraint(op.f("campaign_state_by_fkey"), "campaign", type_="foreignkey")
    op.drop_column("campaign", "state_by")
    op.drop_column("campaign", "state_at")
    op.drop_column("attempt", "counted_on")
    op.drop_column("attempt", "cost")
    op.drop_index(
        "attempt_unredacted_idx",
        table_name="attempt",
        postgresql_where="redacted_at is null and state in ('sent', 'delivered', 'undelivered', 'failed')",
    )
    op.drop_index("attempt_started_idx", table_name="attempt")
    op.drop_index("reply_unredacted_idx", table_name="reply", postgresql_where="redacted_at is null")
    op.drop_column("reply", "redact_at")
    op.drop_column("reply", "redactions")
    op.drop_column("reply", "redacted_at")
    op.drop_column("attempt", "redact_at")
    op.drop_column("attempt", "redactions")
    op.drop_column("attempt", "redacted_at")
    op.drop_index("task_waiting_idx", table_name="task", postgresql_where="closed_at is null")
    op.drop_index("task_person_idx", table_name="task")
    op.drop_index("task_open_key", table_name="task", postgresql_nulls_not_distinct=True, postgresql_where="closed_at is null")
    op.drop_index("task_attempt_idx", table_name="task")
    op.drop_table("task")
    op.drop_index("book_difference_check_idx", table_name="book_difference")
    op.drop_index("book_difference_attempt_idx", table_name="book_difference")
    op.drop_table("book_difference")
    op.drop_index("book_check_wanted_idx", table_name="book_check", postgresql_where="wanted_at is not null")
    op.drop_index("breaker_step_idx", table_name="breaker")
    op.drop_index(
        "breaker_open_key", table_name="breaker", postgresql_nulls_not_distinct=True, postgresql_where="closed_at is null"
    )
    op.drop_table("breaker")
    op.drop_table("spending")
    op.drop_index("imminent_removal_open_key", table_name="imminent_removal", postgresql_where="ended_at is null")
    op.drop_table("imminent_removal")
    op.drop_table("sender_pace")
    op.drop_index("tally_key", table_name="tally", postgresql_nulls_not_distinct=True)
    op.drop_table("tally")
    op.drop_index("look_attempt_idx", table_name="look")
    op.drop_table("look")
    op.drop_table("incarnation")
    op.drop_table("heartbeat")
    op.drop_table("book_check")
