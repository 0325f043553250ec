"""The least that a read over HTTP can be: FastAPI, a psycopg pool, one statement, JSON.

Peer of `benchmarks.reads`. It knows no tokens, decides nothing and signs nothing.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from psycopg_pool import AsyncConnectionPool

from infra.queries.access import DECIDE_MANY_SQL, OPEN_SQL
from infra.queries.people import since_params
from infra.queries.posts.lists import FEED_SQL
from infra.settings import load_settings


def create_bare_app(database_url: str, *, pool_size: int, viewer_id: str) -> FastAPI:
    pool = AsyncConnectionPool(
        database_url, open=False, min_size=1, max_size=pool_size, kwargs={"autocommit": True}
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=lifespan)

    def who() -> dict[str, Any]:
        return {"viewer_id": viewer_id, "session_id": None, "now": datetime.now(UTC)}

    async def rows(sql: bytes, params: dict[str, Any]) -> Response:
        async with pool.connection() as connection:
            found = await (await connection.execute(sql, params)).fetchall()
        return Response(orjson.dumps(found, default=str), media_type="application/json")

    @app.get("/media/{media_id}")
    async def one(media_id: uuid.UUID) -> Response:
        params = {**who(), "media_id": str(media_id)}
        return await rows(OPEN_SQL, params)

    @app.get("/feed")
    async def feed() -> Response:
        return await rows(FEED_SQL, {**who(), "country": None, **since_params(None, 20)})

    @app.post("/media:batchAccess")
    async def many(request: Request) -> Response:
        ids = orjson.loads(await request.body())["media_ids"]
        params = {**who(), "media_ids": ids}
        return await rows(DECIDE_MANY_SQL, params)

    return app


def main() -> None:
    """`python -m benchmarks.bare VIEWER_ID`, on the settings of the environment."""
    settings = load_settings()
    app = create_bare_app(
        settings.psycopg_url, pool_size=settings.database_pool_size, viewer_id=sys.argv[1]
    )
    uvicorn.run(
        app, host=settings.api_host, port=settings.api_port, access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    main()
