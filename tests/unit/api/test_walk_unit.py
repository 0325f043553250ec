"""The walk of every route notices what it leaves out."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from tests.e2e.api.walk.rows import LOCKED, OPEN, Row, each, faults_of


def application() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/posts", operation_id="listPosts")
    async def list_posts() -> None: ...

    return app


LISTED: Row[None] = Row("listPosts", lambda case: case.client.get("/posts"), each(200))


def test_a_route_with_a_row_is_walked() -> None:
    assert faults_of(application(), [LISTED], set()) == []


def test_a_new_route_without_a_row_is_a_fault() -> None:
    app = application()

    @app.post("/posts", operation_id="createPost")
    async def create_post() -> None: ...

    assert faults_of(app, [LISTED], set()) == ["/posts: createPost has no row"]


def test_a_row_without_its_route_is_a_fault() -> None:
    gone: Row[None] = Row("likePost", lambda case: case.client.post("/likes"), each(204))
    assert faults_of(application(), [LISTED, gone], set()) == ["likePost: a row, but no route"]


def test_a_route_without_an_operation_id_is_a_fault() -> None:
    app = application()

    @app.get("/hidden")
    async def hidden() -> None: ...

    assert faults_of(app, [LISTED], {"/docs"}) == ["/hidden: has no operation id"]
    assert faults_of(app, [LISTED], {"/hidden"}) == []


def test_a_row_says_what_every_viewer_gets() -> None:
    assert each(404, owner=OPEN)["stranger"] == 404
    with pytest.raises(AssertionError, match="nothing is said of"):
        each(owner=OPEN, stranger=LOCKED)
    with pytest.raises(AssertionError, match="no such viewer"):
        each(404, friend=200)
