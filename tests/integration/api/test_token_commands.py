"""The small commands: accounts, rights, tokens."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select

from api.auth.tokens import TokenKeys
from devstack.mailbox import Mailbox
from domain.accounts import Role
from domain.auth import MailKind
from domain.errors import Conflict, FansworldError, Invalid, NotFound
from domain.mails import read_mail_token
from infra.db import transaction
from infra.ids import new_id
from infra.models import AuditEntry, Creator, Entitlement, Mail, User
from infra.queries.accounts import create_user, find_user, grant_gift, invite, revoke_rights
from infra.settings import Settings
from tests.harness.rows import MakeMedia, MakeUser

COMMAND = [sys.executable, "-m", "api.tokens", "--operator", "ada"]


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_account_a_right_and_a_token_by_command(
    stack_environment: dict[str, str], settings: Settings, engine: Engine
) -> None:
    made = run(stack_environment, "create-user", "--handle", "mia", "--role", "creator")
    assert (made.returncode, made.stderr) == (0, "")
    creator_id = made.stdout.strip()
    with transaction(engine) as session:
        fan_id = create_user(
            session, handle="tom", role=Role.FAN, display_name=None, operator="ada"
        )
    granted = run(stack_environment, "grant", "--fan", "tom", "--creator", "mia", "--days", "30")
    token = run(stack_environment, "mint", "--user", "tom").stdout.strip()
    assert TokenKeys(settings).verify(token, now=int(time.time())).user_id == fan_id
    with transaction(engine) as session:
        right = session.get_one(Entitlement, granted.stdout.strip())
        assert (right.fan_id, right.creator_id, right.source) == (fan_id, creator_id, "gift")
        assert right.expires_at is not None
        assert session.get_one(User, creator_id).display_name == "mia"
        assert session.get(Creator, creator_id) is not None
        written = select(AuditEntry.action, AuditEntry.actor_name).order_by(AuditEntry.id)
        entries = session.execute(written).all()
    assert [tuple(entry) for entry in entries] == [
        ("user.created", "ada"),
        ("user.created", "ada"),
        ("entitlement.granted", "ada"),
        ("token.minted", "ada"),
    ]


def test_a_command_that_can_not_be_done_says_why(stack_environment: dict[str, str]) -> None:
    failed = run(stack_environment, "mint", "--user", "nobody")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "There is no user nobody.\n"


@pytest.mark.parametrize("handle", ["", "a", "Mia", "mia tom", "-mia", "m" * 31, "mia\n"])
def test_a_handle_that_breaks_the_rules_is_refused(engine: Engine, handle: str) -> None:
    with pytest.raises(Invalid), transaction(engine) as session:
        create_user(session, handle=handle, role=Role.FAN, display_name=None, operator="ada")


def test_a_handle_is_given_once(engine: Engine) -> None:
    def create() -> None:
        with transaction(engine) as session:
            create_user(session, handle="mia", role=Role.FAN, display_name=None, operator="ada")

    create()
    with pytest.raises(Conflict):
        create()
    with transaction(engine) as session:
        assert len(session.scalars(select(User)).all()) == 1


def test_a_right_on_a_media_of_another_creator_is_refused_and_leaves_nothing(
    engine: Engine, make_user: MakeUser, make_media: MakeMedia
) -> None:
    media, other, fan = make_media(), make_user(role=Role.CREATOR), make_user()
    with pytest.raises(FansworldError), transaction(engine) as session:
        grant_gift(
            session,
            fan_id=fan.id,
            creator_id=other.id,
            media_id=media.id,
            expires_at=None,
            operator="ada",
        )
    with transaction(engine) as session:
        assert session.scalars(select(AuditEntry)).all() == []


def test_revoking_ends_every_right_of_a_fan_on_a_creator_once(
    engine: Engine, make_user: MakeUser
) -> None:
    fan, creator = make_user(), make_user(role=Role.CREATOR)
    with transaction(engine) as session:
        for _ in range(2):
            grant_gift(
                session,
                fan_id=fan.id,
                creator_id=creator.id,
                media_id=None,
                expires_at=None,
                operator="ada",
            )
    ended = []
    for _ in range(2):
        with transaction(engine) as session:
            ended.append(
                revoke_rights(
                    session,
                    fan_id=fan.id,
                    creator_id=creator.id,
                    now=datetime.now(UTC),
                    operator="ada",
                )
            )
    assert ended == [2, 0]


def test_a_user_is_found_by_handle_or_id(engine: Engine, make_user: MakeUser) -> None:
    user = make_user(handle="mia")
    with transaction(engine) as session:
        assert find_user(session, "mia") == find_user(session, user.id) == user.id
        with pytest.raises(NotFound):
            find_user(session, "tom")


def mail_count(engine: Engine) -> int:
    with transaction(engine) as session:
        return len(session.scalars(select(Mail)).all())


@pytest.mark.usefixtures("mails_are_sent")
def test_the_first_admin_comes_in_by_an_invitation(
    stack_environment: dict[str, str], settings: Settings, engine: Engine, mailbox: Mailbox
) -> None:
    handle, address = f"ada-{new_id()[-8:]}", f"{new_id()}@example.com"
    made = run(stack_environment, "create-user", "--handle", handle, "--role", "admin")
    invited = run(stack_environment, "invite", "--user", handle, "--email", address)
    assert (invited.returncode, invited.stderr) == (0, "")
    mail_id = invited.stdout.strip()
    caught = mailbox.wait_for(address)
    assert caught.subject == "Your account on fansworld"
    key = settings.url_signing_key_bytes
    assert read_mail_token(caught.token, kind=MailKind.RESET_PASSWORD, key=key) == mail_id
    with transaction(engine) as session:
        user = session.get_one(User, made.stdout.strip())
        assert (user.email, user.role) == (address, "admin")
        assert user.email_verified_at is not None
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert actions == ["user.created", "user.invited"]


@pytest.mark.parametrize(
    ("has", "given", "code"),
    [
        (None, None, "email_missing"),
        ("ada@example.com", "eve@example.com", "email_differs"),
        (None, "Taken@example.com", "email_taken"),
    ],
)
def test_an_invitation_needs_an_address_of_this_account(
    engine: Engine, make_user: MakeUser, has: str | None, given: str | None, code: str
) -> None:
    now = datetime.now(UTC)
    make_user(email="taken@example.com", email_verified_at=now)
    user = make_user(email=has, email_verified_at=now if has else None)
    with pytest.raises(Conflict) as caught, transaction(engine) as session:
        invite(session, user.id, email=given, now=now, expires_at=now, operator="ada")
    assert caught.value.code == code
    assert mail_count(engine) == 0


def test_a_command_that_has_asked_temporal_ends_as_it_should(
    stack_environment: dict[str, str], make_user: MakeUser
) -> None:
    """One in five was aborted at its end while several ran at a time."""
    user = make_user(email="ada@example.com", email_verified_at=datetime.now(UTC))
    with ThreadPoolExecutor(4) as pool:
        ended = [
            pool.submit(run, stack_environment, "invite", "--user", user.handle) for _ in range(12)
        ]
    assert [(each.result().returncode, each.result().stderr) for each in ended] == [(0, "")] * 12


def test_an_invitation_without_temporal_is_left_to_the_sweep(
    stack_environment: dict[str, str], engine: Engine, make_user: MakeUser
) -> None:
    user = make_user(email="ada@example.com", email_verified_at=datetime.now(UTC))
    away = {**stack_environment, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    invited = run(away, "invite", "--user", user.handle)
    assert (invited.returncode, len(invited.stdout.split())) == (0, 1)
    assert "the sweep sends the mail" in invited.stderr
    assert mail_count(engine) == 1


def test_an_address_that_is_none_is_refused(stack_environment: dict[str, str]) -> None:
    failed = run(stack_environment, "invite", "--user", "ada", "--email", "ada at home")
    assert failed.returncode == 2
    assert "--email" in failed.stderr
