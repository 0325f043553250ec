"""The application: routes, middleware, error handlers and the parts they work with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from api import docs, health
from api.admin import audit_log, reconciliations, tax_reports
from api.admin import payouts as admin_payouts
from api.admin import posts as admin_posts
from api.admin import refunds as admin_refunds
from api.admin import users as admin_users
from api.auth import (
    emails,
    keys,
    passkey_sign_in,
    passkeys,
    passwords,
    registering,
    second_factor,
    sessions,
    signing_in,
    step_up,
    totp,
)
from api.charges import lists as payments
from api.contract.document import build_document
from api.contract.layers import install_layers
from api.creators import applications, creator_settings, follows, profiles
from api.earnings import items as earnings
from api.gifts import giving as gifts
from api.media import bulk, delivery, events, items, playback, uploads
from api.messages import talking
from api.parts import open_parts
from api.payment_methods import cards
from api.payouts import accounts as payout_accounts
from api.payouts import items as payouts
from api.posts import comments, lists, reactions, timing
from api.posts import items as posts
from api.problems import install_problem_handlers
from api.refunds import items as refunds
from api.stripe_events import receiving
from api.subscriptions import own as own_subscriptions
from api.tiers import offers as tier_offers
from api.tiers import own as own_tiers
from api.tiers import promos as promo_codes
from api.tips import giving
from api.unlocks import buying
from api.users import account, own_lists
from infra.metrics.serving import record_in_registry
from infra.settings import Settings

TAGS = [
    {"name": "auth", "description": "Register, sign in, and manage sessions and passwords."},
    {"name": "factors", "description": "Second factors, passkeys, and proving who you are anew."},
    {"name": "uploads", "description": "Announce files and send them straight to storage."},
    {"name": "media", "description": "See, edit, delete and process media."},
    {"name": "playback", "description": "Decide who may see what, and issue addresses."},
    {"name": "delivery", "description": "Playlists, keys and storyboards for players."},
    {"name": "users", "description": "One's own account: profile, settings, blocks, rights."},
    {"name": "posts", "description": "Write posts, publish them in time, read and like them."},
    {"name": "comments", "description": "What people say to posts."},
    {"name": "creators", "description": "Find and follow creators, and become one."},
    {"name": "payments", "description": "Cards, and what was paid with them."},
    {"name": "unlocks", "description": "Buy single posts and messages for good."},
    {"name": "messages", "description": "Creators and fans write to each other."},
    {"name": "tips", "description": "Give creators money."},
    {"name": "payouts", "description": "What creators have, and how it is paid out to them."},
    {"name": "earnings", "description": "What creators earned, by day and by month."},
    {"name": "tiers", "description": "What creators sell, their codes, and what it costs."},
    {"name": "gifts", "description": "Give somebody access to a creator."},
    {"name": "subscriptions", "description": "Subscribe to creators, and see who subscribes."},
    {
        "name": "admin",
        "description": "For staff: accounts, roles, applications, and the audit log.",
    },
    {"name": "webhooks", "description": "For Stripe, which delivers its events here."},
    {"name": "health", "description": "For probes and monitoring."},
]


ROUTERS = (
    # Routes are tried in this order, so what is asked for most stands first.
    *(items, playback, lists, posts, delivery, profiles, account),
    *(timing, reactions, comments, events, uploads, bulk),
    *(own_lists, creator_settings, follows, applications),
    *(tier_offers, own_tiers, promo_codes, own_subscriptions, gifts),
    *(registering, signing_in, sessions, passwords, emails, keys),
    *(second_factor, passkey_sign_in, step_up, totp, passkeys),
    *(payouts, payout_accounts, earnings),
    *(admin_users, admin_posts, admin_payouts, admin_refunds),
    *(reconciliations, tax_reports, audit_log),
    *(cards, payments, buying, giving, talking, refunds),
    *(receiving, health, docs),
)


def create_app(settings: Settings) -> FastAPI:
    """The API on these settings. Nothing is connected until its lifespan begins."""
    record_in_registry()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_parts(settings) as parts:
            app.state.parts = parts
            app.state.is_stopping = False
            yield

    app = FastAPI(
        title="fansworld",
        version="1",
        summary="The backend of a creator platform.",
        lifespan=lifespan,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        # To the address with one slash less, as the client's `Host` and plain http have it.
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    install_problem_handlers(app)
    for module in ROUTERS:
        # Their paths are whole already; a router that is included is matched twice.
        app.router.routes.extend(module.router.routes)
    install_layers(app, settings)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's own way.
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = build_document(app, TAGS)
    return app.openapi_schema
