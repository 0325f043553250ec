"""Every error of the domain has a status."""

from __future__ import annotations

import pytest

import api.problems
from api.problems import IdempotencyKeyMissing, PreconditionRequired, status_of
from domain import errors
from domain.errors import FansworldError
from domain.media.rejections import RejectionCode
from infra.storage.connection import NoSuchUpload

EXPECTED = {
    "Unauthenticated": 401,
    "PaymentRequired": 402,
    "AccessDenied": 403,
    "NotFound": 404,
    "Conflict": 409,
    "QuotaExceeded": 409,
    "StepBlocked": 409,
    "Gone": 410,
    "PreconditionFailed": 412,
    "TooLarge": 413,
    "UnsupportedType": 415,
    "Invalid": 422,
    "MediaRejected": 422,
    "RateLimited": 429,
    "Unavailable": 503,
    "OutcomeUnknown": 503,
}


def made(kind: type[FansworldError]) -> FansworldError:
    if kind is errors.PaymentRequired:
        return errors.PaymentRequired("locked", offers=())
    if kind is errors.MediaRejected:
        return errors.MediaRejected(RejectionCode.INFECTED)
    if kind is errors.RateLimited:
        return errors.RateLimited("often", limit="api", retry_after_seconds=1)
    return kind("why")


def test_each_error_of_the_tree_is_in_the_table() -> None:
    tree = {
        kind.__name__
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, FansworldError)
    }
    assert tree - {"FansworldError"} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_each_error_has_its_status(name: str) -> None:
    assert status_of(made(getattr(errors, name))) == EXPECTED[name]


def test_an_error_of_another_layer_has_the_status_of_its_base() -> None:
    assert status_of(NoSuchUpload("gone")) == 404
    assert status_of(PreconditionRequired("say which")) == 428
    assert status_of(IdempotencyKeyMissing("send one")) == 400
    assert status_of(FansworldError("unforeseen")) == 500


def test_facts_for_operators_are_not_shown() -> None:
    assert {"bucket", "key", "storage_code"} <= api.problems._INNER_FACTS
