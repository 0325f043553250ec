"""The demo tells failures as failures."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from rich.console import Console

from devstack.demo.__main__ import Tale
from devstack.demo.books import MEANING, Books, held_minor, judge
from devstack.demo.browser import Browser
from devstack.demo.scenes import SceneFailed, expect
from devstack.demo.watching import StepClock
from devstack.stack import ROOT, Stack
from devstack.stripe.part import Stripe
from domain.ledger.accounts import AccountKind
from infra.queries.ledger import TrialBalance, TrialLine
from infra.settings import Settings


async def played() -> str:
    return "all of it"


async def refused() -> str:
    expect(False, "the stranger was let in")
    return "never said"


async def broken() -> str:
    raise ConnectionError("nobody there")


@pytest.mark.parametrize(
    ("scene", "ok", "said"),
    [
        (played, True, "all of it"),
        (refused, False, "the stranger was let in"),
        (broken, False, "ConnectionError: nobody there"),
    ],
)
async def test_a_scene_is_told_as_it_went(
    scene: Callable[[], Coroutine[Any, Any, str]], ok: bool, said: str
) -> None:
    tale = Tale(Console(file=io.StringIO()))
    assert await tale.tell("the first", played)
    assert await tale.tell("the one in question", scene) is ok
    assert tale.ok is ok
    assert tale.steps[1].said == said


def test_a_tale_without_steps_is_no_success() -> None:
    assert not Tale(Console(file=io.StringIO())).ok


def test_seconds_go_to_the_step_that_the_run_was_in() -> None:
    times = iter([0.0, 1.0, 4.0, 6.0, 7.0])
    clock = StepClock(lambda: next(times))
    for step in ("scan", "encode", "scan", None):
        clock.enter(step)
    assert clock.seconds == {"scan": 4.0, "encode": 2.0}


def test_a_stack_that_can_not_start_ends_the_demo_with_a_reason(other_run_dir: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
        done = subprocess.run(
            [sys.executable, "-m", "devstack.demo", "--run-dir", str(other_run_dir)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "VALKEY_URL": nowhere},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "valkey" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    report = json.loads((other_run_dir / "demo.json").read_text())
    assert report["ok"] is False
    assert [step["ok"] for step in report["steps"]] == [False]


def books(*, clearing_minor: int, fees_minor: int, at_stripe_minor: dict[str, int]) -> Books:
    """What a sale of 10.00 leaves, as far as it is given."""
    amounts = {
        AccountKind.COMMISSION: 200,
        AccountKind.PENDING: 800,
        AccountKind.STRIPE_CLEARING: clearing_minor,
        AccountKind.STRIPE_FEES: fees_minor,
    }
    lines = tuple(TrialLine(kind, "USD", 1, amount) for kind, amount in amounts.items())
    return Books(TrialBalance(lines), at_stripe_minor)


@pytest.mark.parametrize(
    ("clearing_minor", "at_stripe_minor", "said"),
    [
        (-941, {"USD": 941}, ""),
        (-941, {"USD": 940}, "our books say that Stripe holds 9.41 USD, and Stripe says 9.40"),
        (-941, {}, "our books say that Stripe holds 9.41 USD, and Stripe says 0.00"),
        (-941, {"USD": 941, "EUR": 1}, "Stripe holds 0.00 EUR, and Stripe says 0.01"),
        (-940, {"USD": 940}, "the accounts in USD sum to 0.01, not to zero"),
    ],
)
async def test_books_that_differ_from_stripes_fail_the_demo(
    clearing_minor: int, at_stripe_minor: dict[str, int], said: str
) -> None:
    compared = books(clearing_minor=clearing_minor, fees_minor=-59, at_stripe_minor=at_stripe_minor)

    async def scene() -> str:
        return judge(compared)

    tale = Tale(Console(file=io.StringIO()))
    assert await tale.tell("Our books, and Stripe's", scene) is (not said)
    assert said in tale.steps[0].said


def test_every_kind_of_account_is_explained() -> None:
    assert set(MEANING) == set(AccountKind)


async def test_what_the_platform_itself_put_in_is_no_sale(
    other_run_dir: Path, settings: Settings
) -> None:
    with Stack(
        other_run_dir, parts=[Stripe()], environ={"PATH": os.environ["PATH"]}, durable=False
    ) as stack:
        at = {
            "stripe_secret_key": SecretStr(stack.environment["STRIPE_SECRET_KEY"]),
            "stripe_api_base": stack.environment["STRIPE_API_BASE"],
        }
        async with Browser(settings.model_copy(update=at)) as browser:
            sale = {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa"}
            how = {"allowed_payment_method_types[]": "card", "confirm": "true"}
            await browser.ask("POST", "/v1/payment_intents", data={**sale, **how})
            [line] = (await browser.ask("GET", "/v1/balance_transactions"))["data"]
            own = {"amount": 5000, "currency": "usd"}
            await browser.ask("POST", "/v1/topups", data=own)
            assert await held_minor(browser) == {"USD": line["net"]}


def test_nothing_is_bought_at_stripe_itself(settings: Settings) -> None:
    given = {"stripe_secret_key": SecretStr("sk_test_of_somebody"), "stripe_api_base": ""}
    with pytest.raises(SceneFailed, match="needs the local Stripe"):
        Browser(settings.model_copy(update=given))
