"""The only writer of the ledger. Every function runs inside the caller's transaction.

Each operation is posted once, by its event's key: called again with the same facts it answers
as the first time and changes nothing; with other facts it raises `Conflict` (`journal_differs`).
"""

from infra.queries.ledger.charges import (
    record_fee,
    record_refund,
    record_refund_failed,
    record_sale,
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
from infra.queries.ledger.releases import (
    Released,
    creators_due,
    release_due,
    set_earning_terms,
    set_payouts_blocked,
    write_off,
)

__all__ = [
    "Posted",
    "Released",
    "creators_due",
    "find_reserved",
    "fund_payout",
    "lock_creator_money",
    "lose_dispute",
    "open_dispute",
    "record_fee",
    "record_refund",
    "record_refund_failed",
    "record_sale",
    "release_due",
    "reserve_payout",
    "return_payout",
    "reverse_transfer",
    "set_earning_terms",
    "set_payouts_blocked",
    "settle_payout",
    "win_dispute",
    "write_off",
]
