"""Authenticator apps and recovery codes, from setting up to signing in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import update

from domain.auth import MailKind
from domain.factors import CODE_ATTEMPTS_MAX, RECOVERY_CODES
from infra.db import transaction
from infra.models import AuthChallenge, User
from tests.e2e.api.auth.accounts import AUTH, OTHER_PASSWORD, PASSWORD, Accounts
from tests.e2e.api.auth.owners import WRONG_CODE, Owners, code_of
from tests.harness.authenticator import Authenticator


def test_codes_are_set_up_once_and_asked_for_from_then_on(owners: Owners) -> None:
    owner = owners.make()
    begun = owner.post("/totp").json()
    asked = parse_qs(urlsplit(begun["otpauth_uri"]).query)
    assert asked["secret"] == [begun["secret"]]
    assert not owner.factors()["asks_for_second_factor"], "it is not confirmed"
    phone, confirmed = owner.set_up_codes()
    assert len(confirmed["recovery_codes"]) == RECOVERY_CODES
    assert owner.factors() == {
        "has_password": True,
        "has_totp": True,
        "passkeys": 0,
        "recovery_codes_left": RECOVERY_CODES,
        "asks_for_second_factor": True,
    }
    assert code_of(owner.post("/totp")) == (409, "totp_already_set_up")
    answer = owner.answer(owner.challenge(), code=phone.code())
    assert answer.status_code == 200
    begun_session = owner.session(answer.json()["session_id"])
    assert begun_session.methods == ["pwd", "otp", "mfa"]
    assert begun_session.second_factor_at is not None


def test_a_wrong_code_confirms_nothing(owners: Owners) -> None:
    owner = owners.make()
    assert code_of(owner.post("/totp/confirm", {"code": WRONG_CODE})) == (409, "totp_not_begun")
    owner.post("/totp")
    assert code_of(owner.post("/totp/confirm", {"code": WRONG_CODE})) == (422, "code_wrong")
    assert not owner.factors()["has_totp"]
    assert owner.actions() == []


def test_the_first_factor_ends_other_sessions_and_a_further_one_none(owners: Owners) -> None:
    owner = owners.make()
    elsewhere, _ = owner.accounts.signed_in(owner.user)
    _, confirmed = owner.set_up_codes()
    assert confirmed["sessions_ended"] == 1
    assert code_of(elsewhere.get(f"{AUTH}/factors")) == (401, "session_ended")
    added = owner.add_passkey(Authenticator()).json()
    assert (added["sessions_ended"], added["recovery_codes"]) == (0, None)
    assert owner.actions() == ["totp.added", "passkey.added"]


def test_a_code_that_was_taken_is_refused_and_so_is_an_answered_challenge(
    owners: Owners,
) -> None:
    owner = owners.make()
    phone, _ = owner.set_up_codes()
    code = phone.code()
    first = owner.challenge()
    assert owner.answer(first, code=code).status_code == 200
    assert code_of(owner.answer(first, code=code)) == (410, "challenge_over")
    again = owner.answer(owner.challenge(), code=code)
    assert code_of(again) == (401, "second_factor_wrong")


def test_after_five_tries_even_the_right_code_comes_too_late(owners: Owners) -> None:
    owner = owners.make()
    phone, _ = owner.set_up_codes()
    challenge_id = owner.challenge()
    for left in reversed(range(CODE_ATTEMPTS_MAX)):
        refused = owner.answer(challenge_id, code=WRONG_CODE)
        assert code_of(refused) == (401, "second_factor_wrong")
        assert refused.json()["facts"] == {"attempts_left": left}
    over = owner.answer(challenge_id, code=phone.code())
    assert code_of(over) == (410, "challenge_over")
    assert owner.actions()[1:] == ["second_factor.refused"] * CODE_ATTEMPTS_MAX


def test_a_challenge_ends_with_its_time_and_its_account(owners: Owners, accounts: Accounts) -> None:
    owner = owners.make()
    phone, _ = owner.set_up_codes()
    past = datetime.now(UTC) - timedelta(seconds=1)
    expired = owner.challenge()
    with transaction(accounts.engine) as session:
        session.execute(update(AuthChallenge).values(expires_at=past))
    assert code_of(owner.answer(expired, code=phone.code())) == (410, "challenge_over")
    pending = owner.challenge()
    for column, code in (
        ({"suspended_at": past}, (403, "suspended")),
        ({"suspended_at": None, "deleted_at": past}, (410, "challenge_over")),
    ):
        with transaction(accounts.engine) as session:
            session.execute(update(User).where(User.id == owner.user.id).values(**column))
        assert code_of(owner.answer(pending, code=phone.code())) == code


def test_a_new_password_ends_what_was_begun_with_the_old_one(owners: Owners) -> None:
    owner = owners.make()
    phone, _ = owner.set_up_codes()
    pending = owner.challenge()
    change = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert owner.post("/password/change", change).status_code == 204
    assert code_of(owner.answer(pending, code=phone.code())) == (410, "challenge_over")
    again = owner.accounts.login(owner.user, password=OTHER_PASSWORD).json()["challenge_id"]
    assert owner.answer(again, code=phone.code()).status_code == 200


def test_one_code_sent_ten_times_at_once_begins_one_session(owners: Owners) -> None:
    owner = owners.make()
    phone, _ = owner.set_up_codes()
    challenges, code = [owner.challenge() for _ in range(10)], phone.code()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda each: owner.answer(each, code=code), challenges))
    assert sorted(each.status_code for each in answers) == [200] + [401] * 9


def test_a_recovery_code_signs_in_once_and_its_owner_hears_of_it(owners: Owners) -> None:
    owner = owners.make()
    _, confirmed = owner.set_up_codes()
    code = confirmed["recovery_codes"][3]
    answer = owner.answer(owner.challenge(), recovery_code=f" {code.upper().replace('-', ' ')} ")
    assert answer.status_code == 200
    assert owner.session(answer.json()["session_id"]).methods == ["pwd", "otp", "mfa"]
    again = owner.answer(owner.challenge(), recovery_code=code)
    assert code_of(again) == (401, "second_factor_wrong")
    assert owner.factors()["recovery_codes_left"] == RECOVERY_CODES - 1
    events = [mail.facts["event"] for mail in owner.accounts.mails(MailKind.SECURITY_NOTICE)]
    assert events == ["totp_added", "recovery_code_used"]


def test_new_recovery_codes_replace_the_old_ones(owners: Owners) -> None:
    owner = owners.make()
    assert code_of(owner.post("/recovery-codes")) == (409, "no_second_factor")
    _, confirmed = owner.set_up_codes()
    renewed = owner.post("/recovery-codes").json()["recovery_codes"]
    assert set(renewed).isdisjoint(confirmed["recovery_codes"])
    old = owner.answer(owner.challenge(), recovery_code=confirmed["recovery_codes"][0])
    assert old.status_code == 401
    assert owner.answer(owner.challenge(), recovery_code=renewed[0]).status_code == 200


def test_without_codes_the_password_is_enough_again(owners: Owners) -> None:
    owner = owners.make()
    phone, _ = owner.set_up_codes()
    owner.post("/step-up", {"code": phone.code()})
    assert owner.session().second_factor_at is not None
    assert owner.delete("/totp").status_code == 204
    assert code_of(owner.delete("/totp")) == (404, "totp_not_set_up")
    assert owner.session().second_factor_at is None, "what proved it is gone"
    assert owner.factors()["recovery_codes_left"] == 0
    assert owner.accounts.login(owner.user).json()["status"] == "signed_in"
    assert owner.actions() == ["totp.added", "session.stepped_up", "totp.removed"]
    events = [mail.facts["event"] for mail in owner.accounts.mails(MailKind.SECURITY_NOTICE)]
    assert events == ["totp_added", "totp_removed"]


def test_every_change_needs_a_fresh_proof(owners: Owners) -> None:
    owner = owners.make()
    owner.post("/totp")
    owner.let_proof_grow_old()
    for answer in (
        owner.post("/totp"),
        owner.post("/totp/confirm", {"code": WRONG_CODE}),
        owner.delete("/totp"),
        owner.post("/recovery-codes"),
        owner.post("/passkeys/options"),
    ):
        assert code_of(answer) == (403, "step_up_required")
    assert owner.actions() == []


def test_nothing_secret_is_written_down(owners: Owners) -> None:
    owner = owners.make()
    phone, confirmed = owner.set_up_codes()
    owner.answer(owner.challenge(), recovery_code=confirmed["recovery_codes"][0])
    owner.answer(owner.challenge(), code=phone.code())
    mails = owner.accounts.mails(MailKind.SECURITY_NOTICE)
    entries = owner.accounts.audited()
    written = repr([*(each.detail for each in entries), *(each.facts for each in mails)])
    for secret in confirmed["recovery_codes"]:
        assert secret not in written
    assert {entry.actor_id for entry in entries} == {owner.user.id}
    assert all(entry.request_id for entry in entries)
