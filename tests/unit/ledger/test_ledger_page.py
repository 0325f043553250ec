"""docs/ledger.md names the accounts, sides and events that the code has."""

from __future__ import annotations

import re

from domain.ledger.accounts import AccountKind, JournalDraft
from domain.ledger.payouts import (
    fund_key,
    reserve_key,
    return_key,
    reversal_key,
    settle_key,
)
from domain.ledger.postings import closed_key, dispute_key, fee, refund_failed_key, refund_key
from domain.ledger.postings import sale_key as key_of_sale
from tests.harness.pages import LEDGER


def side(kind: AccountKind) -> str:
    if not kind.allow_negative:
        return "never negative"
    return "either" if kind.allow_positive else "never positive"


def test_every_account_is_explained_with_its_side() -> None:
    told = {kind: (cells[0], cells[1]) for kind, cells in LEDGER.table("kind").items()}
    assert told == {kind.value: (kind.owner_type.value, side(kind)) for kind in AccountKind}


def test_every_key_is_as_the_rules_make_it() -> None:
    a_fee: JournalDraft = fee(txn_id="TXN", stripe_ref="ch_1", fee_minor=1, currency="USD")
    made = {
        key_of_sale("CHARGE"),
        a_fee.event_key,
        refund_key("REFUND"),
        refund_failed_key("REFUND"),
        dispute_key("DISPUTE"),
        closed_key("DISPUTE"),
        *(key("PAYOUT") for key in (reserve_key, fund_key, settle_key, reversal_key, return_key)),
    }
    told = set(re.findall(r"`([a-z_]+:[A-Z]+)`", LEDGER.text))
    assert made <= told
    assert told - made == {"write_off:ID"}
