"""Asking Stripe: reading, and orders that count once however often they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, cast

import stripe
import structlog
from sqlalchemy import Engine

from domain.errors import FansworldError, NotFound, OutcomeUnknown, StepBlocked
from domain.stripe_calls import Repeat
from infra.settings import Settings
from infra.stripe.failures import (
    ordering_failure,
    reading_failure,
    reason_of,
    was_replayed,
)
from infra.stripe.fields import Fields, Json
from infra.stripe.journal import Attempt, CallJournal, Order

API_VERSION = "2026-10-28.endive"
"""What our requests and our reading of the answers are written for. The events of webhooks come
in the version of their endpoint: register it with this one."""

PAGE = 100
"""Objects of one answer; the most that Stripe gives."""

CONNECT_SECONDS = 5.0

_OTHER_STATE = frozenset({"payment_intent_unexpected_state", "setup_intent_unexpected_state"})

Find = Callable[[datetime], Json | None]
Read = Callable[[str], Json]

log = structlog.get_logger(__name__)


class StripeCalls:
    """One client, without retries of its own: whoever asks decides about trying again."""

    def __init__(
        self, settings: Settings, engine: Engine, *, http_client: stripe.HTTPClient | None = None
    ) -> None:
        secret = settings.stripe_secret_key
        self._key = secret.get_secret_value() if secret else ""
        self._http = http_client or stripe.RequestsClient(
            timeout=(CONNECT_SECONDS, settings.stripe_timeout_seconds)
        )
        self._client = stripe.StripeClient(
            self._key,
            stripe_version=API_VERSION,
            base_addresses={"api": settings.stripe_api_base} if settings.stripe_api_base else {},
            max_network_retries=0,
            http_client=self._http,
        )
        self._journal = CallJournal(engine)

    def close(self) -> None:
        self._http.close()  # type: ignore[no-untyped-call]  # The package leaves it so.

    def read(
        self, path: str, params: Mapping[str, Any] | None = None, *, account: str | None = None
    ) -> Json:
        """GET `/v1` + path.

        Raises:
            NotFound: `stripe_object_missing`.
            Unavailable: no answer; trying again may help.
            StepBlocked: as `failures.py` says.
        """
        try:
            return self._request("get", path, params or {}, account=account)
        except stripe.StripeError as error:
            raise reading_failure(error, path=path) from error

    def read_all(
        self, path: str, params: Mapping[str, Any], *, account: str | None = None
    ) -> Iterator[Json]:
        """Every object of a list, newest first, page by page as they are asked for."""
        after: dict[str, str] = {}
        while True:
            page = Fields(
                self.read(path, {**params, "limit": PAGE, **after}, account=account), "list"
            )
            found = [Fields(each).whole for each in page.items("data")]
            yield from found
            if not page.flag("has_more") or not found:
                return
            after = {"starting_after": Fields(found[-1]).text("id")}

    def order(
        self,
        order: Order,
        *,
        read: Read | None,
        find: Find | None,
        embedded: str | None = None,
    ) -> Json:
        """POST the order, so that it is carried out once (`domain/stripe_calls.py`).

        Args:
            read: gets the object that it made by its id; None where nothing comes of asking
                once more (it has no id, or is of use for minutes only).
            find: looks whether it was carried out since then; what it returns is taken for its
                answer. None where a second one does no harm.
            embedded: name of the object that comes with a bank's refusal, or with "it is in
                another state": that is the answer then, and no error.

        Raises:
            Unavailable: nothing was done; try again.
            OutcomeUnknown: it may be done; try again with the same order.
            StepBlocked: see `failures.py` and `CallJournal.begin`.
        """
        attempt = self._journal.begin(order)
        if attempt.how is Repeat.READ and read is not None and attempt.object_id is not None:
            return read(attempt.object_id)
        if attempt.how is not Repeat.SEND:
            found = find(attempt.since) if find is not None else None
            if found is not None:
                return self._found(attempt, found)
            attempt = self._journal.begin_anew(order, generation=attempt.generation)
        return self._send(order, attempt, find=find, embedded=embedded)

    def _send(
        self, order: Order, attempt: Attempt, *, find: Find | None, embedded: str | None
    ) -> Json:
        try:
            answer = self._request(
                "post", order.path, order.params, account=order.account, key=attempt.sent_key
            )
        except stripe.StripeError as error:
            instead = _embedded(error, embedded)
            if instead is not None:
                self._journal.note_done(attempt, _id_of(instead))
                return instead
            failure = ordering_failure(error, path=order.path)
            if isinstance(failure, OutcomeUnknown) and was_replayed(error) and find is not None:
                # Stripe keeps the answer to a try that broke on its side: it says nothing new
                # until the key has run out, but what the try made may be there to be seen.
                found = find(attempt.since)
                if found is not None:
                    return self._found(attempt, found)
            self._note_failure(attempt, failure, reason_of(error))
            raise failure from error
        self._journal.note_done(attempt, _id_of(answer))
        return answer

    def _found(self, attempt: Attempt, found: Json) -> Json:
        object_id = _id_of(found)
        log.info("stripe_call_found", key=attempt.key, object_id=object_id)
        self._journal.note_done(attempt, object_id)
        return found

    def _note_failure(self, attempt: Attempt, failure: FansworldError, reason: str) -> None:
        log.warning("stripe_call_failed", key=attempt.key, error=failure.code, reason=reason)
        if isinstance(failure, OutcomeUnknown):
            self._journal.note_unknown(attempt, reason)
        elif failure.code == "payment_request_refused":
            self._journal.note_failed(attempt, reason)
        # Else nothing was done, and what an earlier try with the key did stays open.

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        *,
        account: str | None,
        key: str | None = None,
    ) -> Json:
        if not self._key:
            raise StepBlocked(
                "There is no key of Stripe's (STRIPE_SECRET_KEY).",
                code="stripe_credentials_refused",
            )
        options: dict[str, str] = {}
        if account is not None:
            options["stripe_account"] = account
        if key is not None:
            options["idempotency_key"] = key
        answer = self._client.raw_request(method, f"/v1{path}", **params, **options)
        return Fields(cast(object, answer.data)).whole


def found_or_none(read: Callable[[], Json]) -> Json | None:
    """None instead of NotFound."""
    try:
        return read()
    except NotFound:
        return None


def with_metadata(found: Iterator[Json], name: str, value: str) -> Json | None:
    """The first whose metadata say so."""
    for each in found:
        if Fields(each).metadata().get(name) == value:
            return each
    return None


def _id_of(data: Json) -> str | None:
    """None for what has no id, such as an account link."""
    held = data.get("id")
    return held if isinstance(held, str) else None


def _embedded(error: stripe.StripeError, name: str | None) -> Json | None:
    is_answer = isinstance(error, stripe.CardError) or error.code in _OTHER_STATE
    body = error.json_body
    if name is None or not is_answer or not isinstance(body, dict):
        return None
    told = body.get("error")
    held = told.get(name) if isinstance(told, dict) else None
    return held if isinstance(held, dict) else None
