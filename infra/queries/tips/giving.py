"""Beginning a tip, and lists of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Caller
from domain.accounts import Role
from domain.errors import Conflict, Invalid, NotFound
from domain.paging import Keyset
from domain.posts import PostState
from domain.tips import WINDOW, TipState, check_daily, check_tip
from infra.models import Block, Creator, Post, Tip, User
from infra.queries.own_pages import ME, fetch_own_page, own_page
from infra.queries.people import PERSON, PERSON_WIDTH, Person, person_from
from infra.reads import ReadPool

_RECEIVED = own_page(
    f"""{PERSON}, t.id::text, t.post_id::text, t.amount_minor, t.currency, t.note, t.state,
    t.sent_at""",
    f"""tips t JOIN users u ON u.id = t.fan_id
    WHERE t.creator_id = {ME} AND t.sent_at IS NOT NULL""",
    at="t.sent_at",
    key="t.id",
)
_NOT_TAKEN = (TipState.DECLINED.value, TipState.CANCELED.value)
"""What of a day's tips does not count: nothing was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gesture:
    """What a fan wants to give. Its id is made from the request's key: asked again, it is the
    same tip."""

    id: str
    creator_id: str
    post_id: str | None
    amount_minor: int
    currency: str
    note: str
    at: datetime


async def known_tip(session: AsyncSession, fan: User, gesture: Gesture) -> Tip | None:
    """The tip that was begun by an earlier request with this key. It is found whatever became of
    the card since: its fan must not believe that nothing was taken.

    Raises:
        Conflict: `idempotency_key_reused`; that was another tip.
    """
    known = await own_tip(session, fan_id=fan.id, tip_id=gesture.id)
    if known is None:
        return None
    if (known.creator_id, known.amount_minor, known.currency) != _terms(gesture):
        raise Conflict(
            "The same Idempotency-Key came with another tip.", code="idempotency_key_reused"
        )
    return known


async def begin_tip(
    session: AsyncSession, fan: User, gesture: Gesture, *, payment_method_id: str
) -> Tip:
    """The row of a new tip, to be charged. The fan's row is locked by the caller, so that tips
    that are given at once count one after the other.

    Raises:
        NotFound: `creator_not_found` or `post_not_found`; also where either has blocked the
            other.
        Invalid: the amount is out of bounds, or in a currency that the creator does not take.
        QuotaExceeded: `tips_exhausted`.
    """
    creator = await _creator(session, fan, gesture.creator_id)
    if gesture.post_id is not None:
        await _post(session, gesture)
    check_tip(gesture.amount_minor, gesture.currency, least_minor=_least(creator, gesture))
    given = await session.scalar(
        select(func.coalesce(func.sum(Tip.amount_minor), 0)).where(
            Tip.fan_id == fan.id,
            Tip.created_at > gesture.at - WINDOW,
            Tip.state.not_in(_NOT_TAKEN),
        )
    )
    check_daily(
        gesture.amount_minor,
        given_minor=int(given or 0),
        account_age=gesture.at - fan.created_at,
    )
    tip = Tip(
        id=gesture.id,
        fan_id=fan.id,
        creator_id=gesture.creator_id,
        post_id=gesture.post_id,
        amount_minor=gesture.amount_minor,
        currency=gesture.currency,
        note=gesture.note,
        state=TipState.CHARGING.value,
        payment_method_id=payment_method_id,
        created_at=gesture.at,
    )
    session.add(tip)
    await session.flush()
    return tip


def _terms(gesture: Gesture) -> tuple[str, int, str]:
    return gesture.creator_id, gesture.amount_minor, gesture.currency


def _least(creator: Creator, gesture: Gesture) -> int | None:
    """What the creator wants at least. They say it in their own currency; what another one is
    worth is not known here, so that a tip in one could be any part of it.

    Raises:
        Invalid: `tip_currency_differs`.
    """
    least_minor = creator.tip_minimum_minor
    if least_minor is not None and gesture.currency != creator.currency:
        raise Invalid(
            f"This creator takes tips in {creator.currency}.",
            code="tip_currency_differs",
            currency=creator.currency,
            least_minor=least_minor,
        )
    return least_minor


async def _creator(session: AsyncSession, fan: User, creator_id: str) -> Creator:
    blocks = select(Block.blocker_id).where(
        ((Block.blocker_id == creator_id) & (Block.blocked_id == fan.id))
        | ((Block.blocker_id == fan.id) & (Block.blocked_id == creator_id))
    )
    creator = await session.scalar(
        select(Creator)
        .join(User, User.id == Creator.user_id)
        .where(
            User.id == creator_id,
            User.id != fan.id,
            User.role == Role.CREATOR.value,
            User.deleted_at.is_(None),
            User.suspended_at.is_(None),
            ~blocks.exists(),
        )
    )
    if creator is None:
        raise NotFound("There is no such creator.", code="creator_not_found")
    return creator


async def _post(session: AsyncSession, gesture: Gesture) -> None:
    post = await session.scalar(
        select(Post.id).where(
            Post.id == gesture.post_id,
            Post.creator_id == gesture.creator_id,
            Post.state == PostState.PUBLISHED.value,
        )
    )
    if post is None:
        raise NotFound("There is no such post.", code="post_not_found")


async def own_tip(session: AsyncSession, *, fan_id: str, tip_id: str) -> Tip | None:
    """A tip that the fan gave."""
    return await session.scalar(select(Tip).where(Tip.id == tip_id, Tip.fan_id == fan_id))


@dataclass(frozen=True, slots=True)
class ReceivedTip:
    fan: Person
    id: str
    post_id: str | None
    amount_minor: int
    currency: str
    note: str
    state: TipState
    sent_at: datetime


async def list_received(
    reads: ReadPool, *, caller: Caller, after: Keyset | None, limit: int
) -> tuple[list[ReceivedTip], Keyset | None]:
    """Tips that the caller was given, the newest first, and where the page ended."""
    page = await fetch_own_page(reads, _RECEIVED, caller=caller, after=after, limit=limit)
    tips = []
    for row in page.rows:
        tip_id, post_id, amount_minor, currency, note, state, sent_at = row[PERSON_WIDTH:]
        tips.append(
            ReceivedTip(
                person_from(row[:PERSON_WIDTH]),
                tip_id,
                post_id,
                amount_minor,
                currency,
                note,
                TipState(state),
                sent_at,
            )
        )
    return tips, page.last
