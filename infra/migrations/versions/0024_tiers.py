"""What creators sell: tiers with their prices, bundles and promo codes, and settings of money.

Revision 0024, after 0023.
"""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE tiers
    ADD COLUMN description VARCHAR DEFAULT '' NOT NULL,
    ADD COLUMN benefits VARCHAR[] DEFAULT '{}' NOT NULL,
    ADD COLUMN trial_days INTEGER DEFAULT 0 NOT NULL,
    ADD COLUMN is_visible BOOLEAN DEFAULT true NOT NULL,
    ADD COLUMN subscriber_cap INTEGER,
    ADD COLUMN version INTEGER DEFAULT 1 NOT NULL,
    ADD COLUMN updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ADD CONSTRAINT ck_tiers_trial_days CHECK (trial_days >= 0),
    ADD CONSTRAINT ck_tiers_subscriber_cap CHECK (subscriber_cap > 0);
CREATE INDEX ix_tiers_creator_id_created_at_id ON tiers (creator_id, created_at, id);
ALTER TABLE creators
    ADD COLUMN currency VARCHAR(3) DEFAULT 'USD' NOT NULL,
    ADD COLUMN subscriber_discount_bps INTEGER DEFAULT 0 NOT NULL,
    ADD COLUMN tip_minimum_minor BIGINT,
    ADD CONSTRAINT ck_creators_discount_bps CHECK (subscriber_discount_bps BETWEEN 0 AND 9000),
    ADD CONSTRAINT ck_creators_tip_minimum_minor CHECK (tip_minimum_minor > 0);
UPDATE creators c SET currency = (
    SELECT t.currency FROM tiers t WHERE t.creator_id = c.user_id
    ORDER BY t.archived_at NULLS FIRST, t.rank LIMIT 1
) WHERE EXISTS (SELECT FROM tiers t WHERE t.creator_id = c.user_id);
"""
TABLES = """
CREATE TABLE tier_prices (
    tier_id UUID NOT NULL,
    announced_at TIMESTAMP WITH TIME ZONE NOT NULL,
    price_minor BIGINT NOT NULL,
    effective_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tier_prices PRIMARY KEY (tier_id, announced_at),
    CONSTRAINT ck_tier_prices_price_minor CHECK (price_minor >= 0),
    CONSTRAINT ck_tier_prices_effective_at CHECK (effective_at >= announced_at),
    CONSTRAINT fk_tier_prices_tier_id_tiers FOREIGN KEY(tier_id) REFERENCES tiers (id)
);
CREATE TABLE tier_bundles (
    id UUID NOT NULL,
    tier_id UUID NOT NULL,
    months INTEGER NOT NULL,
    discount_bps INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    archived_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_tier_bundles PRIMARY KEY (id),
    CONSTRAINT ck_tier_bundles_months CHECK (months IN (3, 6, 12)),
    CONSTRAINT ck_tier_bundles_discount_bps CHECK (discount_bps BETWEEN 1 AND 9999),
    CONSTRAINT fk_tier_bundles_tier_id_tiers FOREIGN KEY(tier_id) REFERENCES tiers (id)
);
CREATE UNIQUE INDEX uq_tier_bundles_tier_id_months
    ON tier_bundles (tier_id, months) WHERE archived_at IS NULL;
CREATE TABLE promo_codes (
    id UUID NOT NULL,
    creator_id UUID NOT NULL,
    code VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    value INTEGER NOT NULL,
    duration VARCHAR NOT NULL,
    months INTEGER,
    tier_id UUID,
    audience VARCHAR DEFAULT 'everyone' NOT NULL,
    max_redemptions INTEGER,
    per_fan_max INTEGER DEFAULT 1 NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    redeemed_count INTEGER DEFAULT 0 NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    archived_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_promo_codes PRIMARY KEY (id),
    CONSTRAINT ck_promo_codes_kind CHECK (kind IN ('percent', 'amount', 'trial')),
    CONSTRAINT ck_promo_codes_duration CHECK (duration IN ('once', 'months', 'forever')),
    CONSTRAINT ck_promo_codes_audience CHECK (audience IN ('everyone', 'new', 'former')),
    CONSTRAINT ck_promo_codes_code CHECK (code = upper(code)),
    CONSTRAINT ck_promo_codes_value CHECK (value > 0),
    CONSTRAINT ck_promo_codes_months CHECK ((duration = 'months') = (months IS NOT NULL)),
    CONSTRAINT ck_promo_codes_caps CHECK (per_fan_max > 0 AND max_redemptions > 0),
    CONSTRAINT ck_promo_codes_redeemed_count CHECK (redeemed_count >= 0
        AND (redeemed_count <= max_redemptions) IS NOT FALSE),
    CONSTRAINT ck_promo_codes_expires_at CHECK (expires_at > starts_at),
    CONSTRAINT fk_promo_codes_creator_id_users FOREIGN KEY(creator_id) REFERENCES users (id),
    CONSTRAINT fk_promo_codes_tier_id_tiers FOREIGN KEY(tier_id) REFERENCES tiers (id)
);
CREATE INDEX ix_promo_codes_creator_id_created_at_id
    ON promo_codes (creator_id, created_at, id);
CREATE UNIQUE INDEX uq_promo_codes_creator_id_code
    ON promo_codes (creator_id, code) WHERE archived_at IS NULL;
CREATE TABLE promo_redemptions (
    subscription_id UUID NOT NULL,
    promo_id UUID NOT NULL,
    fan_id UUID NOT NULL,
    state VARCHAR NOT NULL,
    held_at TIMESTAMP WITH TIME ZONE NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_promo_redemptions PRIMARY KEY (subscription_id),
    CONSTRAINT ck_promo_redemptions_state CHECK (state IN ('held', 'used', 'released')),
    CONSTRAINT fk_promo_redemptions_promo_id_promo_codes
        FOREIGN KEY(promo_id) REFERENCES promo_codes (id),
    CONSTRAINT fk_promo_redemptions_fan_id_users FOREIGN KEY(fan_id) REFERENCES users (id)
);
CREATE INDEX ix_promo_redemptions_promo_id_fan_id ON promo_redemptions (promo_id, fan_id);
"""
HISTORY = """
INSERT INTO tier_prices (tier_id, announced_at, price_minor, effective_at)
SELECT id, created_at, price_minor, created_at FROM tiers;
CREATE TRIGGER tier_prices_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tier_prices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.execute(CHANGES)
    op.execute(TABLES)
    op.execute(HISTORY)


def downgrade() -> None:
    for table in ("promo_redemptions", "promo_codes", "tier_bundles", "tier_prices"):
        op.drop_table(table)
    for column in ("currency", "subscriber_discount_bps", "tip_minimum_minor"):
        op.drop_column("creators", column)
    op.drop_index("ix_tiers_creator_id_created_at_id", "tiers")
    for column in (
        *("description", "benefits", "trial_days", "is_visible"),
        *("subscriber_cap", "version", "updated_at"),
    ):
        op.drop_column("tiers", column)
