"""Subscriptions, campaigns and deliveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_IDENTITY = sa.String(254).with_variant(postgresql.VARCHAR(254, collation="C"), "postgresql")
_DOMAIN = sa.String(255).with_variant(postgresql.VARCHAR(255, collation="C"), "postgresql")


def upgrade() -> None:
    _subscriptions()
    _campaigns()
    _deliveries()
    _keep_no_samples()
    # Counts last an hour at most: they begin anew in the table that all doors share.
    op.drop_table("cw_staff_guess")
    op.create_table(
        "cw_count",
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("ends_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_cw_count"),
    )


def _subscriptions() -> None:
    op.create_table(
        "cw_subscription",
        sa.Column("id", _ID, nullable=False),
        sa.Column("address", sa.String(254)),
        sa.Column("identity", _IDENTITY),
        sa.Column("address_hash", sa.String(64), nullable=False),
        sa.Column("domain", _DOMAIN, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("requested_at", _TIME, nullable=False),
        sa.Column("confirmed_at", _TIME),
        sa.Column("ended_at", _TIME),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("new_address", sa.String(254)),
        sa.Column("bounce_score", sa.Float, nullable=False),
        sa.Column("bounced_at", _TIME),
        sa.Column("erased_at", _TIME),
        sa.PrimaryKeyConstraint("id", name="pk_cw_subscription"),
        sa.UniqueConstraint("identity", name="uq_cw_subscription_identity"),
        # Links and proofs name the id of a row that may be gone: no other row ever gets it.
        sqlite_autoincrement=True,
    )
    op.create_index("ix_cw_subscription_address_hash", "cw_subscription", ["address_hash"])
    op.create_index("ix_cw_subscription_domain", "cw_subscription", ["domain", "id"])
    op.create_index("ix_cw_subscription_state", "cw_subscription", ["state", "id"])
    op.create_table(
        "cw_subscription_link",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("subscription_id", _ID, nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("address", sa.String(254)),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME),
        sa.PrimaryKeyConstraint("hash", name="pk_cw_subscription_link"),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["cw_subscription.id"],
            name="fk_cw_subscription_link_subscription_id_cw_subscription",
        ),
    )
    op.create_index("ix_cw_subscription_link_subscription_id", "cw_subscription_link", ["subscription_id"])
    op.create_table(
        "cw_suppression",
        sa.Column("address_hash", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("suppressed_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("address_hash", name="pk_cw_suppression"),
    )


def _campaigns() -> None:
    op.create_table(
        "cw_campaign",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("version_id", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("corrects", sa.Integer),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("pause_reason", sa.String(16), nullable=False),
        sa.Column("pause_detail", sa.Text, nullable=False),
        sa.Column("policy", sa.String(16), nullable=False),
        sa.Column("secret", sa.String(32), nullable=False),
        sa.Column("mail_domain", sa.String(255), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("closes_at", _TIME, nullable=False),
        sa.Column("audience_to", _ID, nullable=False),
        sa.Column("cursor", _ID, nullable=False),
        sa.Column("candidates", sa.Integer, nullable=False),
        sa.Column("excluded", sa.Integer, nullable=False),
        sa.Column("claims", sa.Integer, nullable=False),
        sa.Column("prepared_at", _TIME),
        sa.Column("started_at", _TIME),
        sa.Column("finished_at", _TIME),
        sa.Column("told_in_time", sa.Integer),
        sa.PrimaryKeyConstraint("id", name="pk_cw_campaign"),
        sa.ForeignKeyConstraint(
            ["version_id"], ["cw_notice_version.id"], name="fk_cw_campaign_version_id_cw_notice_version"
        ),
        sa.ForeignKeyConstraint(["corrects"], ["cw_campaign.id"], name="fk_cw_campaign_corrects_cw_campaign"),
    )
    op.create_index("uq_cw_campaign_version_id", "cw_campaign", ["version_id", "kind"], unique=True)
    op.create_index("ix_cw_campaign_state", "cw_campaign", ["state"])


def _deliveries() -> None:
    op.create_table(
        "cw_delivery",
        sa.Column("id", _ID, nullable=False),
        sa.Column("campaign_id", sa.Integer),
        sa.Column("subscription_id", _ID, nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("domain", sa.String(255), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("late", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("owner", sa.String(32)),
        sa.Column("lease_until", _TIME),
        sa.Column("code", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cw_delivery"),
        # A mail may come back long after its row is gone: no other row ever gets the id that it names.
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_cw_delivery_campaign_id", "cw_delivery", ["campaign_id", "subscription_id"], unique=True
    )
    op.create_index("ix_cw_delivery_campaign_id", "cw_delivery", ["campaign_id", "state", "at"])
    op.create_index("ix_cw_delivery_subscription_id", "cw_delivery", ["subscription_id"])
    leased = sa.text("lease_until IS NOT NULL")
    op.create_index(
        "ix_cw_delivery_lease_until",
        "cw_delivery",
        ["lease_until"],
        sqlite_where=leased,
        postgresql_where=leased,
    )
    op.create_index(
        "ix_cw_delivery_late",
        "cw_delivery",
        ["campaign_id", "state"],
        sqlite_where=sa.text("late = 1"),
        postgresql_where=sa.text("late"),
    )
    refused = sa.text("state IN ('failed', 'pending') AND code <> ''")
    op.create_index(
        "ix_cw_delivery_code",
        "cw_delivery",
        ["campaign_id", "state", "code"],
        sqlite_where=refused,
        postgresql_where=refused,
    )
    op.create_table(
        "cw_mail_domain",
        sa.Column("domain", sa.String(255), nullable=False),
        sa.Column("until", _TIME, nullable=False),
        sa.Column("refusals", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("domain", name="pk_cw_mail_domain"),
    )
    op.create_table(
        "cw_job",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("taken_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_cw_job"),
    )
    op.create_table(
        "cw_bounce",
        sa.Column("id", _ID, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("delivery_id", _ID),
        sa.Column("subscription_id", _ID),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("raw", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_cw_bounce"),
        sa.UniqueConstraint("digest", name="uq_cw_bounce_digest"),
    )
    op.create_index("ix_cw_bounce_subscription_id", "cw_bounce", ["subscription_id"])


def _keep_no_samples() -> None:
    """PostgreSQL copies sample values of each column into its statistics, where an erasure does not reach."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in (
        ("cw_subscription", ("address", "identity", "new_address")),
        ("cw_subscription_link", ("address",)),
        ("cw_bounce", ("raw",)),
    ):
        for column in columns:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS 0")
