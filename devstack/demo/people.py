"""Scenes of people: they register, one becomes a creator, she posts, and a right comes and goes."""

from __future__ import annotations

import asyncio
import time

from devstack.client import ApiClient, JsonObject, Problem
from devstack.demo.grants import grant, revoke
from devstack.demo.scenes import Stage, expect, refusal
from devstack.mailbox import Mailbox
from devstack.people import ensure_person
from devstack.signing_up import sign_up
from domain.accounts import Role

REVOKED_WITHIN_SECONDS = 1.0


async def come_and_apply(stage: Stage) -> str:
    """Three people register over HTTP; one applies to be a creator, and a moderator agrees."""
    mailbox = Mailbox(stage.stack.run_dir)
    for name in ("mia", "tom", "sam"):
        person = await sign_up(stage.settings.api_public_url, mailbox, name=name)
        stage.people[name] = person
        stage.console.print(
            f"  {person.handle} registered, opened the link in the mail, and signed in",
            highlight=False,
        )
    moderator = await asyncio.to_thread(
        ensure_person, stage.settings, "ada-moderates", Role.MODERATOR
    )
    async with stage.client(stage.mia) as mia, stage.client(moderator) as ada:
        statement = "Films of a rabbit and his friends, once a week."
        application = await mia.call("POST", "/me/creator-application", {"statement": statement})
        await ada.call("POST", f"/admin/creator-applications/{application['id']}/approve")
        me = await mia.call("GET", "/me")
        expect(me["role"] == "creator", f"after the approval Mia is a {me['role']}")
    return f"{len(stage.people)} accounts verified by mail; {stage.mia.handle} is a creator"


async def post_and_sell(stage: Stage) -> str:
    """Mia posts for subscribers and for sale; Tom is told what it costs, is given it, loses it."""
    async with stage.client(stage.mia) as mia, stage.client(stage.tom) as tom:
        await mia.call(
            "POST",
            "/posts",
            {
                "body": "The whole film, for those who are with me.",
                "media_ids": [stage.media["video"]],
                "audience": "subscribers",
                "state": "published",
            },
        )
        sold = await mia.call(
            "POST",
            "/posts",
            {
                "body": "And the picture that everybody asked for.",
                "media_ids": [stage.media["photo"]],
                "audience": "paid",
                "price_minor": 500,
                "currency": "USD",
                "state": "published",
            },
        )
        await _is_locked(stage, tom, sold["id"])
        grant(stage.settings, fan=stage.tom, creator=stage.mia, post_id=sold["id"])
        opened = await tom.call("GET", f"/posts/{sold['id']}")
        expect(opened["access"]["allowed"], "what was given is still locked")
        expect("picture" in opened["body"], "the text is not shown to whom it is open")
        pictures = await tom.playback(stage.media["photo"])
        answer = await tom.fetch(pictures["renditions"][0]["url"])
        expect(answer.status_code == 200, f"a picture of it answers {answer.status_code}")
        revoke(stage.settings, fan=stage.tom, creator=stage.mia)
        seconds = await _until_refused(tom, stage.media["photo"])
    return f"402 with its price; opened when given; refused {seconds * 1000:.0f} ms after its end"


async def _is_locked(stage: Stage, fan: ApiClient, post_id: str) -> None:
    """A fan sees that it is there, what it costs, and a blur; nothing else."""
    seen: JsonObject = await fan.call("GET", f"/posts/{post_id}")
    expect(seen["body"] is None, "the text of a locked post is shown")
    kinds = {each["kind"] for media in seen["media"] for each in media["renditions"]}
    expect(kinds <= {"blur", "poster_blur", "teaser"}, f"a locked post shows {kinds}")
    problem = await refusal(fan, stage.media["photo"])
    expect(problem.status == 402, f"its picture answers {problem.status}")
    [offer] = problem.body["offers"]
    price = f"{offer['price_minor'] / 100:.2f} {offer['currency']}"
    stage.console.print(
        f"  Tom gets {problem.status} {problem.code}; offered: {offer['kind']} for {price}",
        highlight=False,
    )


async def _until_refused(fan: ApiClient, media_id: str) -> float:
    """Seconds until both a list and the content itself say no."""
    begun = time.monotonic()
    while True:
        decided = await fan.call("POST", "/media:batchAccess", {"media_ids": [media_id]})
        listed = decided["data"][0]["allowed"]
        try:
            await fan.playback(media_id)
            played = True
        except Problem as problem:
            expect(problem.status == 402, f"without the right it answers {problem.status}")
            played = False
        seconds = time.monotonic() - begun
        if not listed and not played:
            return seconds
        expect(seconds < REVOKED_WITHIN_SECONDS, f"still open {seconds:.2f} s after its end")
