"""What people do, and how often next to the rest."""

from __future__ import annotations

from simulation.money import buying, cards, giving_back, paying_out, subscribing, writing
from simulation.money.picks import Act

ACTS: dict[str, tuple[Act, int]] = {
    "unlock": (buying.unlock, 10),
    "write": (writing.write, 3),
    "unlock_message": (buying.unlock_message, 4),
    "unsend": (writing.unsend, 1),
    "tip": (buying.tip, 6),
    "confirm": (buying.confirm, 6),
    "take_down": (buying.take_down, 2),
    "subscribe": (subscribing.subscribe, 8),
    "cancel": (subscribing.cancel, 1),
    "resume": (subscribing.resume, 1),
    "pause": (subscribing.pause, 1),
    "change_tier": (subscribing.change_tier, 2),
    "use_card": (subscribing.use_card, 2),
    "agree": (subscribing.agree, 1),
    "say_confirmed": (subscribing.say_confirmed, 1),
    "change_price": (subscribing.change_price, 1),
    "give": (subscribing.give, 3),
    "add_card": (cards.add_card, 2),
    "type_card": (cards.type_card, 2),
    "prefer_card": (cards.prefer, 1),
    "remove_card": (cards.remove, 1),
    "refund": (giving_back.refund, 6),
    "bank_decides": (giving_back.bank_decides, 4),
    "ask_for_money": (paying_out.ask_for_money, 3),
    "staff_decide": (paying_out.staff_decide, 4),
    "pay_everybody": (paying_out.pay_everybody, 2),
}

SENT_AGAIN = frozenset(
    {"unlock", "unlock_message", "tip", "subscribe", "give", "write", "refund", "ask_for_money"}
)
"""Requests that clients repeat when no answer comes: all of them bear a key, or mean one thing."""
