"""Messages: who writes to whom, and what a resend is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import Engine, delete, select

from domain.accounts import Role
from infra.db import transaction
from infra.ids import new_id
from infra.models import Block, Conversation, Follow, IdempotencyRecord, Message, User
from tests.e2e.api.published import Publisher
from tests.harness.api import RunningApi
from tests.harness.messages import write_message
from tests.harness.posts import FollowCreator
from tests.harness.rows import Entitle, MakeMedia, MakeUser

API = "/api/v1"


@pytest.fixture
def creator(make_user: MakeUser) -> User:
    return make_user(role=Role.CREATOR)


@pytest.fixture
def fan(make_user: MakeUser, creator: User, follow: FollowCreator) -> User:
    fan = make_user()
    follow(fan, creator)
    return fan


def send(
    client: httpx.Client, receiver: User, *, key: str | None = None, **wish: Any
) -> httpx.Response:
    return client.post(
        f"{API}/conversations/{receiver.id}/messages",
        json={"body": "Hello", **wish},
        headers={"idempotency-key": key or new_id()},
    )


def read(client: httpx.Client, conversation_id: str, **query: Any) -> httpx.Response:
    return client.get(f"{API}/conversations/{conversation_id}/messages", params=query)


def test_two_people_write_in_one_conversation(api: RunningApi, creator: User, fan: User) -> None:
    first = send(api.client(fan), creator, body="Hi")
    assert first.status_code == 201, first.text
    second = send(api.client(creator), fan, body="Welcome").json()
    assert first.json()["conversation_id"] == second["conversation_id"]
    assert (first.json()["seq"], second["seq"]) == (1, 2)
    for person, other, role in ((fan, creator, "fan"), (creator, fan, "creator")):
        client = api.client(person)
        [listed] = client.get(f"{API}/me/conversations").json()["data"]
        assert (listed["id"], listed["role"]) == (second["conversation_id"], role)
        assert (listed["with_person"]["id"], listed["last_seq"]) == (other.id, 2)
        page = read(client, listed["id"]).json()
        assert [each["body"] for each in page["data"]] == ["Welcome", "Hi"]
        assert {each["access"]["reason"] for each in page["data"]} == {"owner", "receiver"}


def test_pages_go_back_in_time(api: RunningApi, engine: Engine, creator: User, fan: User) -> None:
    for number in range(5):
        held = write_message(engine, creator, fan, body=f"{number}").conversation_id
    client, bodies, cursor = api.client(fan), [], None
    while True:
        page = read(client, held, limit=2, **({"cursor": cursor} if cursor else {})).json()
        bodies += [each["body"] for each in page["data"]]
        cursor = page["next_cursor"]
        assert page["has_more"] is (cursor is not None)
        if cursor is None:
            break
    assert bodies == ["4", "3", "2", "1", "0"]


def test_conversations_are_listed_by_their_newest_message(
    api: RunningApi, engine: Engine, make_user: MakeUser, creator: User
) -> None:
    fans = [make_user() for _ in range(3)]
    for each in (*fans, fans[0]):
        write_message(engine, creator, each)
    client = api.client(creator)
    first = client.get(f"{API}/me/conversations", params={"limit": 2}).json()
    rest = client.get(
        f"{API}/me/conversations", params={"limit": 2, "cursor": first["next_cursor"]}
    ).json()
    listed = [each["with_person"]["id"] for each in first["data"] + rest["data"]]
    assert listed == [fans[0].id, fans[2].id, fans[1].id]
    assert rest["has_more"] is False


def test_a_resend_is_the_same_message_also_when_its_answer_was_not_kept(
    api: RunningApi, engine: Engine, creator: User, fan: User
) -> None:
    key = new_id()
    sent = send(api.client(fan), creator, key=key).json()
    forget_answers(engine)
    again = send(api.client(fan), creator, key=key)
    assert (again.status_code, again.json()["id"]) == (201, sent["id"])
    forget_answers(engine)
    other = send(api.client(fan), creator, key=key, body="Something else")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    with transaction(engine) as session:
        [message] = session.scalars(select(Message)).all()
        assert session.get_one(Conversation, message.conversation_id).last_seq == 1


def forget_answers(engine: Engine) -> None:
    with transaction(engine) as session:
        session.execute(delete(IdempotencyRecord))


def test_numbers_have_no_gaps_however_many_write_at_once(
    api: RunningApi, creator: User, fan: User
) -> None:
    pairs = [(fan, creator), (creator, fan)] * 6
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda pair: send(api.client(pair[0]), pair[1]), pairs))
    assert {answer.status_code for answer in answers} == {201}
    assert sorted(answer.json()["seq"] for answer in answers) == list(range(1, 13))


def test_strangers_write_to_nobody(api: RunningApi, make_user: MakeUser, creator: User) -> None:
    stranger = make_user()
    for sender, receiver in ((stranger, creator), (creator, stranger)):
        refused = send(api.client(sender), receiver)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_connected")


def test_subscribers_write_as_long_as_they_subscribe(
    api: RunningApi, make_user: MakeUser, creator: User, entitle: Entitle
) -> None:
    subscriber = make_user()
    entitle(subscriber, creator_id=creator.id, source="subscription")
    assert send(api.client(subscriber), creator).status_code == 201


def test_who_bought_one_thing_is_no_subscriber(
    api: RunningApi, make_user: MakeUser, make_media: MakeMedia, creator: User, entitle: Entitle
) -> None:
    buyer = make_user()
    entitle(buyer, creator_id=creator.id, media_id=make_media(owner=creator).id)
    assert send(api.client(buyer), creator).status_code == 403


def test_who_unfollows_is_not_written_to_any_more(
    api: RunningApi, engine: Engine, creator: User, fan: User
) -> None:
    held = send(api.client(fan), creator).json()["conversation_id"]
    with transaction(engine) as session:
        session.delete(session.get_one(Follow, {"fan_id": fan.id, "creator_id": creator.id}))
    assert send(api.client(creator), fan).status_code == 403
    assert read(api.client(fan), held).status_code == 200


@pytest.mark.parametrize("by_fan", [True, False])
def test_a_block_hides_the_conversation_from_both(
    api: RunningApi, engine: Engine, creator: User, fan: User, by_fan: bool
) -> None:
    held = send(api.client(fan), creator).json()["conversation_id"]
    blocker, blocked = (fan, creator) if by_fan else (creator, fan)
    with transaction(engine) as session:
        session.add(Block(blocker_id=blocker.id, blocked_id=blocked.id))
    for person, other in ((fan, creator), (creator, fan)):
        client = api.client(person)
        assert send(client, other).status_code == 404
        assert read(client, held).status_code == 404
        assert client.get(f"{API}/me/conversations").json()["data"] == []


def test_a_deleted_message_is_gone_for_both(
    api: RunningApi, engine: Engine, creator: User, fan: User
) -> None:
    message = write_message(engine, creator, fan)
    assert api.client(fan).delete(f"{API}/messages/{message.id}").status_code == 404
    assert api.client(creator).delete(f"{API}/messages/{message.id}").status_code == 204
    assert api.client(creator).delete(f"{API}/messages/{message.id}").status_code == 404
    for person in (fan, creator):
        assert read(api.client(person), message.conversation_id).json()["data"] == []


def test_two_creators_have_one_conversation(
    api: RunningApi, make_user: MakeUser, creator: User, follow: FollowCreator
) -> None:
    other = make_user(role=Role.CREATOR)
    follow(creator, other)
    follow(other, creator)
    first = send(api.client(creator), other).json()
    second = send(api.client(other), creator, price_minor=500, currency="USD")
    assert second.status_code == 201, second.text
    assert second.json()["conversation_id"] == first["conversation_id"]
    unfit = send(api.client(creator), other, price_minor=500, currency="USD")
    assert unfit.json()["code"] == "price_unfit"


def test_media_are_the_senders_own_ready_and_not_public(
    api: RunningApi, publish: Publisher, make_media: MakeMedia, creator: User, fan: User
) -> None:
    own = publish.image(creator)
    cases = [
        ([own.id, own.id], 422, "media_repeated"),
        ([publish.image(fan).id], 422, "media_unknown"),
        ([new_id()], 422, "media_unknown"),
        ([make_media(owner=creator).id], 409, "media_not_ready"),
        ([make_media(owner=creator, state="ready", purpose="avatar").id], 422, "media_unfit"),
        ([publish.image(creator, visibility="public").id], 409, "media_is_public"),
    ]
    client = api.client(creator)
    for media_ids, status, code in cases:
        refused = send(client, fan, media_ids=media_ids)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    sent = send(client, fan, body="", media_ids=[own.id])
    assert sent.status_code == 201, sent.text
    [carried] = sent.json()["media"]
    assert carried["renditions"]
    etag = client.get(f"{API}/media/{own.id}").headers["etag"]
    made_public = client.patch(
        f"{API}/media/{own.id}", json={"visibility": "public"}, headers={"if-match": etag}
    )
    assert made_public.json()["code"] == "media_is_public"
