"""An admin helps somebody who has lost every second factor."""

from __future__ import annotations

from domain.auth import MailKind
from tests.e2e.api.auth.accounts import AUTH
from tests.e2e.api.auth.owners import Owners, code_of
from tests.e2e.api.walk.people import make_people
from tests.e2e.api.walk.rows import Stage
from tests.harness.authenticator import Authenticator

WHY = {"reason": "Case 9: has lost the phone; called back"}


def test_all_factors_go_all_sessions_end_and_the_owner_is_told(owners: Owners) -> None:
    owner, accounts = owners.make(), owners.accounts
    phone, confirmed = owner.set_up_codes()
    owner.add_passkey(Authenticator())
    waiting = owner.challenge()
    people = make_people(accounts.engine)
    admin = Stage(accounts.api, accounts.engine, None, people).client_of(people.admin)  # type: ignore[arg-type]
    answer = admin.post(f"/api/v1/admin/users/{owner.user.id}/reset-factors", json=WHY)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["has_totp"], body["passkeys"], body["live_sessions"]) == (False, 0, 0)

    assert code_of(owner.client.get(f"{AUTH}/factors")) == (401, "session_ended")
    late = owner.answer(waiting, recovery_code=confirmed["recovery_codes"][0])
    assert code_of(late) == (410, "challenge_over"), "what waited for a factor is over, too"
    again = accounts.login(owner.user)
    assert again.json()["status"] == "signed_in", "the password alone signs in"
    [entry] = [each for each in accounts.audited() if each.action == "user.factors_reset"]
    assert entry.actor_id == people.admin.user.id
    assert set(entry.detail["factors"]) == {"totp", "passkey", "recovery_code"}
    notice = accounts.mails(MailKind.SECURITY_NOTICE)[-1]
    assert (notice.user_id, notice.facts) == (owner.user.id, {"event": "factors_reset"})
    assert phone.code(), "which nobody asks for any more"
