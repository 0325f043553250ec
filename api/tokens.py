"""Small commands for accounts, rights and tokens, for whoever runs the platform.

    python -m api.tokens create-user --handle mia --role creator
    python -m api.tokens invite --user mia --email mia@example.com
    python -m api.tokens grant --fan tom --creator mia [--media ID | --post ID] [--days 30]
    python -m api.tokens revoke --fan tom --creator mia
    python -m api.tokens mint --user tom [--ttl-seconds 600]

Each prints one line: an id, the number of rights that ended, or the token. An invitation is a
mail with a link by which somebody sets their password; so the first admin comes in:

    python -m api.tokens create-user --handle ada --role admin
    python -m api.tokens invite --user ada --email ada@example.com

Then they sign in and set up a second factor, without which nothing for staff opens.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from email_validator import EmailNotValidError, validate_email
from sqlalchemy.orm import Session

from api.auth.tokens import mint_token
from api.starting import TEMPORAL_FAULTS, TEMPORAL_SECONDS
from domain.accounts import Role
from domain.errors import FansworldError
from infra.db import make_engine, transaction
from infra.queries.accounts import (
    create_user,
    find_user,
    grant_gift,
    invite,
    note_minted,
    revoke_rights,
)
from infra.settings import Settings, SettingsError, load_settings
from infra.temporal import connect
from workflows.mail.start import start_mail


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        engine = make_engine(settings)
        try:
            with transaction(engine) as session:
                line = _run(options, session, settings)
            if options.command == "invite":
                asyncio.run(_begin_mail(settings, mail_id=line))
        finally:
            engine.dispose()
    except (SettingsError, FansworldError) as error:
        print(error, file=sys.stderr)
        return 1
    print(line)
    return 0


async def _begin_mail(settings: Settings, *, mail_id: str) -> None:
    temporal = await connect(settings, lazy=True)
    try:
        async with asyncio.timeout(TEMPORAL_SECONDS):
            await start_mail(temporal, mail_id, queue_prefix=settings.task_queue_prefix)
    except TEMPORAL_FAULTS:
        print("Temporal does not answer; the sweep sends the mail when it does.", file=sys.stderr)


def _run(options: argparse.Namespace, session: Session, settings: Settings) -> str:
    now = datetime.now(UTC)
    if options.command == "create-user":
        return create_user(
            session,
            handle=options.handle,
            role=Role(options.role),
            display_name=options.display_name,
            operator=options.operator,
        )
    if options.command == "invite":
        return invite(
            session,
            find_user(session, options.user),
            email=options.email,
            now=now,
            expires_at=now + timedelta(seconds=settings.email_link_ttl_seconds),
            operator=options.operator,
        )
    if options.command == "mint":
        user_id = find_user(session, options.user)
        ttl_seconds = options.ttl_seconds
        if ttl_seconds is None:
            ttl_seconds = settings.access_token_ttl_seconds
        note_minted(session, user_id, ttl_seconds=ttl_seconds, operator=options.operator)
        return mint_token(settings, user_id, ttl_seconds=ttl_seconds)
    fan_id = find_user(session, options.fan)
    creator_id = find_user(session, options.creator)
    if options.command == "revoke":
        ended = revoke_rights(
            session, fan_id=fan_id, creator_id=creator_id, now=now, operator=options.operator
        )
        return str(ended)
    return grant_gift(
        session,
        fan_id=fan_id,
        creator_id=creator_id,
        media_id=options.media,
        post_id=options.post,
        expires_at=now + timedelta(days=options.days) if options.days else None,
        operator=options.operator,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m api.tokens", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--operator", default=getpass.getuser(), help="name for the audit log")
    commands = parser.add_subparsers(dest="command", required=True)

    user = commands.add_parser("create-user", help="make an account")
    user.add_argument("--handle", required=True)
    user.add_argument("--role", choices=[role.value for role in Role], default=Role.FAN.value)
    user.add_argument("--display-name")

    inviting = commands.add_parser("invite", help="mail a link to set a password")
    inviting.add_argument("--user", required=True, help="handle or id")
    inviting.add_argument("--email", type=_address, help="where the account has none yet")

    mint = commands.add_parser("mint", help="print an access token")
    mint.add_argument("--user", required=True, help="handle or id")
    mint.add_argument("--ttl-seconds", type=int)

    for name, what in (("grant", "give a right"), ("revoke", "end all rights")):
        command = commands.add_parser(name, help=f"{what} of a fan on a creator's media")
        command.add_argument("--fan", required=True, help="handle or id")
        command.add_argument("--creator", required=True, help="handle or id")
        if name == "grant":
            subject = command.add_mutually_exclusive_group()
            subject.add_argument("--media", help="id of the only media that is given")
            subject.add_argument("--post", help="id of the only post that is given")
            command.add_argument("--days", type=int, help="without it the right has no end")
    return parser


def _address(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of Temporal's client may still be on their way back from their last answer, and one
    # that comes while Python shuts down aborts the process. Everything is committed and closed.
    os._exit(code)
