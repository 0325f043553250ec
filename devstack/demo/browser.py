"""What a browser does at Stripe: a card's number, the bank's question, a creator's form.

Here it is the local Stripe, whose pages and clock `devstack/stripe` describes.
"""

from __future__ import annotations

from typing import Any

import httpx2

from devstack.demo.scenes import SceneFailed, expect
from devstack.stripe.part import control
from infra.settings import Settings

DAY_SECONDS = 86_400


class Browser:
    """One visit to the local Stripe."""

    def __init__(self, settings: Settings) -> None:
        """Raises SceneFailed where the stack uses Stripe itself, whose clock nobody moves."""
        if not settings.stripe_api_base or settings.stripe_secret_key is None:
            raise SceneFailed("this part needs the local Stripe: unset STRIPE_SECRET_KEY")
        self._base = settings.stripe_api_base
        self._http = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {settings.stripe_secret_key.get_secret_value()}"},
            base_url=self._base,
            timeout=20,
            trust_env=False,
        )

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """One call of Stripe's own API; JSON out."""
        answer = await self._http.request(method, path, **options)
        expect(answer.status_code == 200, f"{path} at Stripe answers {answer.status_code}")
        return answer.json()

    async def enter_card(self, client_secret: str, card: str) -> None:
        """Type in a test card (`pm_card_…`), and confirm with the bank where it asks."""
        setup_id = _id_in(client_secret)
        path = f"/v1/setup_intents/{setup_id}/confirm"
        setup = await self.ask("POST", path, data={"payment_method": card})
        if setup["status"] == "requires_action":
            await self.confirm_with_bank(client_secret)

    async def confirm_with_bank(self, client_secret: str) -> None:
        """Press "Complete" on the page of the bank: 3-D Secure."""
        await self._press(f"/_pages/authenticate/{_id_in(client_secret)}")

    async def fill_in_form(self, url: str) -> None:
        """Say to Stripe who one is, and where one's bank is."""
        await self._press(url)

    async def _press(self, url: str) -> None:
        answer = await self._http.post(url, data={"choice": "complete"})
        expect(answer.status_code in (200, 303), f"the page {url} answers {answer.status_code}")

    def pass_days(self, days: int) -> None:
        """Stripe's clock goes on, and what is due on the way happens."""
        control(self._base, "clock", seconds=days * DAY_SECONDS)


def _id_in(client_secret: str) -> str:
    """`seti_1` of `seti_1_secret_2`."""
    return client_secret.partition("_secret_")[0]
