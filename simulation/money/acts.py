"""What people do, and how often next to the rest."""

from __future__ import annotations

from simulation.money import buying, giving_back, paying_out
from simulation.money.picks import Act

ACTS: dict[str, tuple[Act, int]] = {
    "unlock": (buying.unlock, 10),
    "tip": (buying.tip, 6),
    "confirm": (buying.confirm, 6),
    "take_down": (buying.take_down, 2),
    "refund": (giving_back.refund, 4),
    "bank_decides": (giving_back.bank_decides, 4),
    "ask_for_money": (paying_out.ask_for_money, 3),
    "staff_decide": (paying_out.staff_decide, 4),
    "pay_everybody": (paying_out.pay_everybody, 2),
}
