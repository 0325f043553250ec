"""The small commands: accounts, rights, tokens."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select

from api.auth.tokens import TokenKeys
from domain.accounts import Role
from domain.errors import Conflict, FansworldError, Invalid, NotFound
from infra.db import transaction
from infra.models import AuditEntry, Creator, Entitlement, User
from infra.queries.accounts import create_user, find_user, grant_gift, revoke_rights
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
        entries = session.execute(select(AuditEntry.action, AuditEntry.actor_name)).all()
    assert [tuple(entry) for entry in entries] == [
        ("user.created", "ada"),
        ("user.created", "ada"),
        ("entitlement.granted", "ada"),
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
