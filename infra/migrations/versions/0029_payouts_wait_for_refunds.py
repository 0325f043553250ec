"""A payout is refused while a refund is under way.

Revision 0029, after 0028.
"""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

NAME = "ck_payout_skips_reason"
BEFORE = (
    "reason IN ('account_suspended', 'payouts_blocked', 'payout_account_missing', 'payout_account_incomplete', 'payout_account_disabled', 'payout_currency_differs', "
    "'payout_currency_unknown', 'creator_in_debt', 'earnings_disputed', 'payout_in_progress', 'nothing_available', 'below_payout_minimum', 'platform_balance_short')"
)
NOW = (
    "reason IN ('account_suspended', 'payouts_blocked', 'payout_account_missing', 'payout_account_incomplete', 'payout_account_disabled', 'payout_currency_differs', "
    "'payout_currency_unknown', 'creator_in_debt', 'earnings_disputed', 'refund_in_progress', 'payout_in_progress', 'nothing_available', 'below_payout_minimum', 'platform_balance_short')"
)


def upgrade() -> None:
    op.drop_constraint(op.f(NAME), "payout_skips")
    op.create_check_constraint(op.f(NAME), "payout_skips", NOW)


def downgrade() -> None:
    op.execute("DELETE FROM payout_skips WHERE reason = 'refund_in_progress'")
    op.drop_constraint(op.f(NAME), "payout_skips")
    op.create_check_constraint(op.f(NAME), "payout_skips", BEFORE)
