"""What is done twice is found."""

from __future__ import annotations

from pathlib import Path

from chaos.doubles import charged_twice, made_twice, mailed_twice, strays
from devstack.client import JsonObject
from devstack.mailbox import CaughtMail


def intent(number: int, op_id: str, status: str = "succeeded") -> JsonObject:
    return {"id": f"pi_{number}", "status": status, "metadata": {"op_id": op_id}}


def mail(message_id: str, text: str = "Confirm: #token=1") -> CaughtMail:
    return CaughtMail(Path("a.eml"), "mia@example.com", "Confirm", message_id, text, "")


def test_two_payments_of_one_charge_are_found() -> None:
    assert made_twice("payment_intents", [intent(1, "a"), intent(2, "b")]) == []
    twice = [intent(1, "a"), intent(2, "a"), intent(3, "b")]
    assert made_twice("payment_intents", twice) == ["2 payment_intents of a"]


def test_tries_that_came_to_nothing_count_once() -> None:
    tries = [intent(1, "a", "canceled"), intent(2, "a")]
    assert made_twice("payment_intents", tries) == []


def test_two_charges_for_one_thing_are_found() -> None:
    subjects = {"a": ("tip-1", "pay"), "b": ("tip-1", "pay"), "c": ("tip-2", "pay")}
    assert charged_twice([intent(1, "a"), intent(2, "c")], subjects) == []
    found = charged_twice([intent(1, "a"), intent(2, "b")], subjects)
    assert found == ["tip-1 pay was charged 2 times: pi_1, pi_2"]


def test_a_payment_of_nothing_is_found() -> None:
    assert charged_twice([intent(1, "x")], {}) == ["pi_1 was taken for no charge of ours"]


def test_an_object_that_no_row_names_is_found() -> None:
    named = ["m/1/1/thumb.jpg", "m/1/1/v480/"]
    sound = ["o/1", "m/1/1/thumb.jpg", "m/1/1/v480/init.mp4", "m/1/1/v480/000001.m4s"]
    assert strays(sound, named) == []
    again = [*sound, "m/1/2/thumb.jpg"]
    assert strays(again, named) == ["no row names the object m/1/2/thumb.jpg"]


def test_a_letter_that_came_twice_is_found_whatever_its_ids() -> None:
    once = [mail("<1@x>"), mail("<2@x>", text="Confirm: #token=2")]
    assert mailed_twice(once) == {}
    for second in ("<1@x>", "<9@x>"):
        found = mailed_twice([*once, mail(second)])
        assert found == {"<1@x>": "2 mails of 'Confirm' to mia@example.com"}
