"""The only writer of the ledger. Every function runs inside the caller's transaction.

Each operation is posted once, by its event's key: called again with the same facts it answers
as the first time and changes nothing; with other facts it raises `Conflict` (`journal_differs`).
"""

from infra.queries.ledger.charges import (
    record_fee,
    record_refund,
    record_refund_failed,
    record_sale,
    refunds_shortfall,
)
from infra.queries.ledger.disputes import lose_dispute, open_dispute, win_dispute
from infra.queries.ledger.payouts import (
    find_reserved,
    fund_payout,
    reserve_payout,
    return_payout,
    reverse_transfer,
    settle_payout,
)
from infra.queries.ledger.posting import Posted, lock_creator_money
from infra.queries.ledger.reads import (
    Balances,
    Cleared,
    StatementLine,
    TrialBalance,
    TrialLine,
    balances_of,
    clearing_by_stripe_ref,
    clearing_of_refs,
    lots_of,
    opening_balances,
    statement_lines,
    trial_balance,
)
from infra.queries.ledger.releases import (
    Released,
    creators_due,
    release_due,
    set_earning_terms,
    set_payouts_blocked,
    set_post_price_max,
    write_off,
)
from infra.queries.ledger.verifying import Break, verify

__all__ = [
    "Balances",
    "Break",
    "Cleared",
    "Posted",
    "Released",
    "StatementLine",
    "TrialBalance",
    "TrialLine",
    "balances_of",
    "clearing_by_stripe_ref",
    "clearing_of_refs",
    "creators_due",
    "find_reserved",
    "fund_payout",
    "lock_creator_money",
    "lose_dispute",
    "lots_of",
    "open_dispute",
    "opening_balances",
    "record_fee",
    "record_refund",
    "record_refund_failed",
    "record_sale",
    "refunds_shortfall",
    "release_due",
    "reserve_payout",
    "return_payout",
    "reverse_transfer",
    "set_earning_terms",
    "set_payouts_blocked",
    "set_post_price_max",
    "settle_payout",
    "statement_lines",
    "trial_balance",
    "verify",
    "win_dispute",
    "write_off",
]
