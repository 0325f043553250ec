"""The scene of a creator who is paid out."""

from __future__ import annotations

from devstack.client import ApiClient, JsonObject
from devstack.demo.browser import Browser
from devstack.demo.buying import admin_of, money, until
from devstack.demo.scenes import Stage, expect
from domain.ids import sweep_workflow_id
from infra.ids import new_id
from infra.temporal import connect

CARD_DAYS = 3
"""Stripe pays what cards brought after two."""
BANK_DAYS = 3
"""A bank has its money after two."""
RESERVE_MINOR = 200_00


async def pay_out(stage: Stage) -> str:
    """Mia opens her account, asks for her money, staff agree, and it arrives at her bank."""
    async with (
        stage.client(stage.mia) as mia,
        stage.client(await admin_of(stage)) as ada,
        Browser(stage.settings) as browser,
    ):
        await _open_account(mia, browser)
        browser.pass_days(CARD_DAYS)
        available_minor = await _release(stage, mia)
        await _cover(browser, available_minor)
        payout = await mia.call("POST", "/me/payouts", {"currency": "USD"}, key=new_id())
        await _until_payout(mia, payout, "review")
        await ada.call("POST", f"/admin/payouts/{payout['id']}/approve", {"note": "First one."})
        await _until_payout(mia, payout, "in_transit")
        browser.pass_days(BANK_DAYS)
        paid = await _until_payout(mia, payout, "paid")
        expect(paid["amount_minor"] == available_minor, "another amount was paid out")
    return (
        f"Stripe has checked Mia's account, staff looked at her first payout, and "
        f"{money(available_minor)} are at her bank, six days of Stripe's clock later"
    )


async def _open_account(mia: ApiClient, browser: Browser) -> None:
    """Who she is and where her bank is goes to Stripe alone."""
    account = await mia.call("POST", "/me/payout-account", {"country": "US"})
    expect(not account["payouts_enabled"], "an account is paid out to before its form is filled in")
    await browser.fill_in_form(account["onboarding_url"])
    await until(
        lambda: mia.call("GET", "/me/payout-account"),
        lambda seen: bool(seen["payouts_enabled"]),
        otherwise="the account is not ready, though the form is filled in",
    )


async def _release(stage: Stage, mia: ApiClient) -> int:
    """Run now what runs every few minutes: earnings whose wait is over become available."""
    temporal = await connect(stage.settings)
    name = f"{stage.settings.task_queue_prefix}{sweep_workflow_id('payouts')}"
    await temporal.get_schedule_handle(name).trigger()
    answer = await until(
        lambda: mia.call("GET", "/me/balance"),
        lambda seen: all(each["pending_minor"] == 0 for each in seen["data"]),
        otherwise="the earnings do not become available",
    )
    [balance] = answer["data"]
    return int(balance["available_minor"])


async def _cover(browser: Browser, wanted_minor: int) -> None:
    """Demos before on the same stack have left debts of creators who never come back; then the
    platform puts in money of its own, as it would."""
    balance = await browser.ask("GET", "/v1/balance")
    held_minor = sum(each["amount"] for each in balance["available"] if each["currency"] == "usd")
    if held_minor < wanted_minor:
        lacking = {"amount": wanted_minor - held_minor + RESERVE_MINOR, "currency": "usd"}
        await browser.ask("POST", "/v1/topups", data=lacking)
        browser.pass_days(CARD_DAYS)


async def _until_payout(mia: ApiClient, payout: JsonObject, state: str) -> JsonObject:
    return await until(
        lambda: mia.call("GET", f"/me/payouts/{payout['id']}"),
        lambda seen: bool(seen["state"] == state),
        otherwise=f"the payout does not become {state}",
    )
