"""Rows of a platform of a given size: subscriptions, their rights and their sales.

Every hundredth subscription brings a creator with a tier and ten posts, every tenth a fan. Each
has been paid once: a journal of four entries and a lot, so that the ledger's proof finds nothing
wrong. Ids follow from names, so that rows can name each other without being looked up.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

PER_CREATOR = 100
PER_FAN = 10
POSTS = 10
TAX, COMMISSION, SHARE = 100, 180, 719
"""Of a sale of 9.99."""
ASKING = "fan-7"

_PEOPLE = """
    INSERT INTO users (id, handle, display_name, role)
    SELECT md5('creator-' || n)::uuid, 'creator-' || n, 'Creator ' || n, 'creator'
    FROM generate_series(0, %(creators)s - 1) n
    UNION ALL
    SELECT md5('fan-' || n)::uuid, 'fan-' || n, 'Fan ' || n, 'fan'
    FROM generate_series(0, %(fans)s - 1) n
"""
_CREATORS = "INSERT INTO creators (user_id) SELECT id FROM users WHERE role = 'creator'"
_MONEY = "INSERT INTO creator_money (creator_id) SELECT id FROM users WHERE role = 'creator'"
_TIERS = """
    INSERT INTO tiers (id, creator_id, name, rank, price_minor, currency)
    SELECT md5('tier-' || id)::uuid, id, 'All', 1, 999, 'USD' FROM users WHERE role = 'creator'
"""
_NUMBERED = """
    WITH numbered AS (
        SELECT n, md5('subscription-' || n)::uuid AS id, md5('sale-' || n)::uuid AS sale_id,
               md5('fan-' || n / %(per_fan)s)::uuid AS fan_id,
               md5('creator-' || n * 7919 %% %(creators)s)::uuid AS creator_id,
               now() + (n %% 43200 + 60) * interval '1 minute' AS due
        FROM generate_series(0, %(subscriptions)s - 1) n
    )
"""
_FOLLOWS = "INSERT INTO follows (fan_id, creator_id) SELECT fan_id, creator_id FROM numbered"
_RIGHTS = """
    INSERT INTO entitlements (id, fan_id, creator_id, tier_id, source, starts_at)
    SELECT id, fan_id, creator_id, md5('tier-' || creator_id)::uuid, 'subscription', now()
    FROM numbered
"""
_SUBSCRIPTIONS = """
    INSERT INTO subscriptions (id, fan_id, creator_id, state, tier_id, price_minor, currency,
                               months, period_start, period_end, entitlement_id, wake_at)
    SELECT id, fan_id, creator_id, 'active', md5('tier-' || creator_id)::uuid, 999, 'USD', 1,
           due - interval '30 days', due, id, due
    FROM numbered
"""
_ACCOUNTS = """
    INSERT INTO ledger_accounts (id, owner_type, owner_id, kind, currency, allow_negative,
                                 allow_positive)
    SELECT md5(kind)::uuid, 'platform', NULL, kind, 'USD', true, true
    FROM unnest(ARRAY['stripe_clearing', 'commission', 'tax_payable']) kind
    UNION ALL
    SELECT md5('pending-' || id)::uuid, 'creator', id, 'pending', 'USD', false, true
    FROM users WHERE role = 'creator'
"""
_JOURNALS = """
    INSERT INTO journals (id, event_key, body_hash, kind, effective_at, charge_id, creator_id)
    SELECT sale_id, 'sale-' || n, '\\x00', 'sale', now() - n * interval '1 second', sale_id,
           creator_id
    FROM numbered
"""
_ENTRIES = """
    INSERT INTO journal_entries (journal_id, seq, account_id, currency, amount_minor)
    SELECT sale_id, part.seq,
           md5(CASE part.seq WHEN 4 THEN 'pending-' || creator_id ELSE part.kind END)::uuid,
           'USD', part.amount
    FROM numbered, (VALUES (1, 'stripe_clearing', -%(tax)s - %(commission)s - %(share)s),
                           (2, 'tax_payable', %(tax)s), (3, 'commission', %(commission)s),
                           (4, 'pending', %(share)s)) part (seq, kind, amount)
"""
_LOTS = """
    INSERT INTO earning_lots (id, creator_id, currency, source, tax_minor, commission_minor,
                              amount_minor, earned_at, available_at)
    SELECT sale_id, creator_id, 'USD', 'subscription', %(tax)s, %(commission)s, %(share)s, now(),
           now() + interval '7 days'
    FROM numbered
"""
_BALANCES = """
    INSERT INTO account_balances (account_id, allow_negative, allow_positive, posted_minor)
    SELECT a.id, a.allow_negative, a.allow_positive, sum(e.amount_minor)
    FROM ledger_accounts a JOIN journal_entries e ON e.account_id = a.id GROUP BY a.id
"""
_POSTS = """
    WITH drawn AS (
        INSERT INTO media (id, owner_id, kind, purpose, state, visibility, file_name, original_key,
                           original_bytes, published_generation, width, height)
        SELECT uuidv7(), id, 'image', 'post', 'ready', 'gated', 'picture.jpg', 'o', 1, 1, 1600, 900
        FROM users, generate_series(1, %(posts)s) WHERE role = 'creator' RETURNING id, owner_id
    ), rendered AS (
        INSERT INTO renditions (media_id, generation, kind, name, content_type, bucket,
                                object_key, bytes, width, height)
        SELECT d.id, 1, k.kind, k.kind || '.jpg', 'image/jpeg', k.bucket,
               k.root || '/' || d.id || '/1/' || k.kind || '.jpg', 9000, 256, 256
        FROM drawn d, (VALUES ('thumbnail', 'fansworld-media', 'm'),
                              ('blur', 'fansworld-public', 'p')) k (kind, bucket, root)
    ), posted AS (
        INSERT INTO posts (id, creator_id, state, audience, body, media_count, published_at)
        SELECT id, owner_id, 'published', 'subscribers', repeat('What happened. ', 8), 1,
               now() - row_number() OVER (ORDER BY random()) * interval '1 minute'
        FROM drawn
    )
    INSERT INTO post_media (post_id, media_id, position) SELECT id, id, 0 FROM drawn
"""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who reads, and ids of media that they may see."""

    fan_id: str
    media_ids: list[str]


def fill_to(connection: psycopg.Connection, subscriptions: int) -> Asker:
    """Empty the database and write the rows of so many subscriptions (1,000 or more)."""
    sizes = {
        "subscriptions": subscriptions,
        "creators": subscriptions // PER_CREATOR,
        "fans": subscriptions // PER_FAN,
        "per_fan": PER_FAN,
        "posts": POSTS,
        "tax": TAX,
        "commission": COMMISSION,
        "share": SHARE,
    }
    # What the triggers keep (balances, parts of lots) is written here, too, and proven after it.
    connection.execute("SET session_replication_role = replica")
    connection.execute("TRUNCATE users CASCADE")
    connection.execute("TRUNCATE ledger_accounts CASCADE")
    for statement in (_PEOPLE, _CREATORS, _MONEY, _TIERS):
        connection.execute(statement, sizes)
    for statement in (_FOLLOWS, _RIGHTS, _SUBSCRIPTIONS):
        connection.execute(_NUMBERED + statement, sizes)
    connection.execute(_ACCOUNTS)
    for statement in (_JOURNALS, _ENTRIES, _LOTS):
        connection.execute(_NUMBERED + statement, sizes)
    connection.execute(_BALANCES)
    connection.execute(_POSTS, sizes)
    connection.execute("RESET session_replication_role")
    connection.execute("VACUUM ANALYZE")
    return _asker(connection)


def _asker(connection: psycopg.Connection) -> Asker:
    row = connection.execute("SELECT md5(%s)::uuid::text", (ASKING,)).fetchone()
    fan_id = str(row[0]) if row else ""
    found = connection.execute(
        "SELECT m.id::text FROM media m JOIN follows f ON f.creator_id = m.owner_id "
        "WHERE f.fan_id = %s::uuid",
        (fan_id,),
    )
    return Asker(fan_id, [media_id for (media_id,) in found])
