"""Notice versions, the record of decisions, the keys seen."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "cw_notice_version",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("change_class", sa.String(16), nullable=False),
        sa.Column("ask_again", sa.JSON, nullable=False),
        sa.Column("effective_at", _TIME),
        sa.Column("announced_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cw_notice_version"),
        sa.UniqueConstraint("number", name="uq_cw_notice_version_number"),
        sa.CheckConstraint(
            "state <> 'announced' OR "
            "(number IS NOT NULL AND effective_at IS NOT NULL AND announced_at IS NOT NULL)",
            name="announced_is_complete",
        ),
        # The id of a discarded draft is given to no other one.
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cw_notice_text",
        sa.Column("version_id", sa.Integer, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("markdown", sa.Text, nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "language", name="pk_cw_notice_text"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["cw_notice_version.id"], name="fk_cw_notice_text_version_id_cw_notice_version"
        ),
        # A hidden rowid would be a second key, by which a frozen row could be replaced.
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cw_consent_wording",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("first_used_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_cw_consent_wording"),
    )
    op.create_table(
        "cw_consent_record",
        sa.Column("id", _ID, nullable=False),
        sa.Column("subject", sa.String(32)),
        sa.Column("decided_at", _TIME, nullable=False),
        sa.Column("choice_since", _TIME, nullable=False),
        sa.Column("notice", sa.Integer, nullable=False),
        sa.Column("notice_hash", sa.String(64)),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("mechanism", sa.String(32), nullable=False),
        sa.Column("signal", sa.String(8)),
        sa.Column("wording_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cw_consent_record"),
        sa.ForeignKeyConstraint(
            ["wording_hash"],
            ["cw_consent_wording.hash"],
            name="fk_cw_consent_record_wording_hash_cw_consent_wording",
        ),
    )
    op.create_index("ix_cw_consent_record_subject", "cw_consent_record", ["subject", "decided_at", "id"])
    op.create_table(
        "cw_consent_decision",
        sa.Column("record_id", _ID, nullable=False),
        sa.Column("category", sa.String(32), nullable=False),
        sa.Column("granted", sa.Boolean, nullable=False),
        sa.Column("sensitive", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("record_id", "category", name="pk_cw_consent_decision"),
        sa.ForeignKeyConstraint(
            ["record_id"], ["cw_consent_record.id"], name="fk_cw_consent_decision_record_id_cw_consent_record"
        ),
    )
    op.create_table(
        "cw_key",
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_cw_key"),
    )
