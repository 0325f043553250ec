"""The endpoint. Decodes for whoever may ask, and for the UI's own pages only."""

from __future__ import annotations

import hmac
import html
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from google.protobuf.json_format import MessageToDict, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads

from infra.settings import Settings
from infra.temporal import EncryptingCodec, UnknownPayloadKey
from ops.codec.operators import ANYBODY, SESSION_SECONDS, Operators

BODY_BYTES_MAX = 16 * 1024 * 1024
"""A page of a history; one payload has 2 MB at most (Temporal's limit)."""
COOKIE = "codec"
FORM = """<!doctype html>
<meta charset="utf-8" /><title>Payloads</title>
<body style="font-family: system-ui; margin: 4rem auto; max-width: 24rem">
<h1>Read payloads</h1>
<p>{said}</p>
<form method="post" action="login">
  <p><label>Your secret<br /><input name="secret" type="password" autofocus /></label></p>
  <p><button>Sign in</button></p>
</form>
"""

log = structlog.get_logger("codec")


class Refused(Exception):
    """Carries the answer."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


class CodecServer:
    """What one process serves, on these settings."""

    def __init__(self, settings: Settings) -> None:
        self._codec = EncryptingCodec(settings.payload_keys)
        self._operators = Operators(settings.codec_operators)
        self._namespace = settings.temporal_namespace
        self._origin = origin_of(settings.temporal_ui_url)
        self._is_secure = settings.environment == "production"

    @property
    def origins(self) -> list[str]:
        return [self._origin] if self._origin is not None else []

    async def decode(self, request: Request) -> Response:
        who = self._who(request)
        given = await self._payloads(request)
        found, unknown = [], 0
        for payload in given:
            try:
                found += await self._codec.decode([payload])
            except UnknownPayloadKey:
                found.append(payload)
                unknown += 1
        log.info("payloads_decoded", operator=who, payloads=len(given), unknown_keys=unknown)
        return _answer(found)

    async def encode(self, request: Request) -> Response:
        """Of what an operator sends to a run from the UI."""
        who = self._who(request)
        given = await self._payloads(request)
        log.info("payloads_encoded", operator=who, payloads=len(given))
        return _answer(await self._codec.encode(given))

    async def login(self, request: Request) -> Response:
        fields = parse_qs((await _body(request, bytes_max=4096)).decode(errors="replace"))
        name = self._operators.who_has(fields.get("secret", [""])[0])
        if name is None:
            log.warning("codec_login_refused")
            return _page("That is nobody's secret.", status=403)
        log.info("codec_login", operator=name)
        answer = _page(f"You are {name}, for twelve hours. Go back to the UI, and load it again.")
        answer.set_cookie(
            COOKIE,
            self._operators.make_cookie(name),
            max_age=SESSION_SECONDS,
            httponly=True,
            secure=self._is_secure,
            samesite="strict",
        )
        return answer

    def _who(self, request: Request) -> str:
        origin = request.headers.get("origin")
        if origin is not None and origin != self._origin:
            raise Refused(403, f"Only pages of {self._origin} may ask.")
        if not self._operators.are_named:
            return ANYBODY
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        who = self._operators.who_has(token) if scheme.lower() == "bearer" else None
        who = who or self._operators.who_holds(request.cookies.get(COOKIE, ""))
        if who is None:
            raise Refused(401, "Sign in at this address, in the same browser.")
        return who

    async def _payloads(self, request: Request) -> Sequence[Payload]:
        namespace = request.headers.get("x-namespace", self._namespace)
        if not hmac.compare_digest(namespace.encode(), self._namespace.encode()):
            raise Refused(404, f"These are not the keys of the namespace {namespace}.")
        body = await _body(request, bytes_max=BODY_BYTES_MAX)
        try:
            return list(Parse(body, Payloads()).payloads)
        except (ParseError, UnicodeDecodeError) as error:
            raise Refused(400, "The body is no list of payloads.") from error


def create_app(settings: Settings) -> FastAPI:
    server = CodecServer(settings)
    app = FastAPI(title="fansworld codec", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/decode", server.decode, methods=["POST"])
    app.add_api_route("/encode", server.encode, methods=["POST"])
    app.add_api_route("/login", server.login, methods=["POST"])
    app.add_api_route("/", lambda: _page("For Temporal's UI, of this platform."), methods=["GET"])
    app.add_api_route("/livez", lambda: {"status": "ok"}, methods=["GET"])
    app.add_exception_handler(Refused, _refuse)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=server.origins,
        allow_methods=["POST"],
        allow_headers=["content-type", "x-namespace", "authorization"],
        allow_credentials=True,
    )
    return app


def origin_of(url: str | None) -> str | None:
    """`https://temporal.example:8443` of an address with a path."""
    if url is None:
        return None
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _body(request: Request, *, bytes_max: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > bytes_max:
            raise Refused(413, f"At most {bytes_max} bytes.")
    return bytes(body)


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return Response(error.sentence, status_code=error.status, media_type="text/plain")


def _answer(payloads: Sequence[Payload]) -> Response:
    told = MessageToDict(Payloads(payloads=payloads))
    return Response(orjson.dumps(told), media_type="application/json")


def _page(said: str, *, status: int = 200) -> Response:
    headers = {
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action "
        "'self'; frame-ancestors 'none'",
        "cache-control": "no-store",
    }
    page = FORM.format(said=html.escape(said))
    return Response(page, status_code=status, media_type="text/html", headers=headers)
