"""The project's pages as tests read them: tables, code, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Page:
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def prose(self) -> str:
        """Without blocks of code."""
        return FENCE.sub("", self.text)

    def code(self, language: str) -> list[str]:
        return [body for name, body in FENCE.findall(self.text) if name == language]

    @cached_property
    def links(self) -> list[str]:
        return [target for _, target in LINK.findall(self.prose)]

    @cached_property
    def names(self) -> list[str]:
        """Everything that stands in backticks."""
        return re.findall(r"`([^`\n]+)`", self.prose)

    @cached_property
    def anchors(self) -> set[str]:
        """Of headings, as GitHub makes them."""
        titles = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    def table(self, first_heading: str) -> dict[str, list[str]]:
        """First cell (without backticks) → the other cells of each row of the one table whose
        first column is called so."""
        found: list[dict[str, list[str]]] = []
        current: dict[str, list[str]] | None = None
        for line in self.prose.splitlines():
            if not line.startswith("|"):
                current = None
                continue
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if current is not None:
                key = cells[0].replace("`", "")
                assert key not in current, f"{key} stands twice in {self.path.name}"
                current[key] = cells[1:]
            elif cells[0] == first_heading:
                current = {}
                found.append(current)
        (table,) = found
        return {key: cells for key, cells in table.items() if not key.startswith("---")}


README = Page(ROOT / "README.md")
PERFORMANCE = Page(ROOT / "docs" / "performance.md")
MEDIA, OPERATIONS, ARCHITECTURE, DECISIONS = (
    Page(ROOT / "docs" / f"{name}.md")
    for name in ("media", "operations", "architecture", "decisions")
)
ACCOUNTS, POSTS, API = (Page(ROOT / "docs" / f"{name}.md") for name in ("accounts", "posts", "api"))
BUYING, EARNINGS, LEDGER, PAYMENTS, PAYOUTS, REFUNDS = (
    Page(ROOT / "docs" / f"{name}.md")
    for name in ("buying", "earnings", "ledger", "payments", "payouts", "refunds")
)
SUBSCRIPTIONS = Page(ROOT / "docs" / "subscriptions.md")
MESSAGES = Page(ROOT / "docs" / "messages.md")
MIGRATIONS = Page(ROOT / "docs" / "migrations.md")
BROWSER = Page(ROOT / "docs" / "browser.md")
CONTRIBUTING = Page(ROOT / "docs" / "contributing.md")
ERRORS = Page(ROOT / "docs" / "errors.md")
INDEX = Page(ROOT / "docs" / "README.md")
QUICKSTART = Page(ROOT / "docs" / "quickstart.md")
PAGES = (
    *(README, ACCOUNTS, API, ARCHITECTURE, DECISIONS, LEDGER, MEDIA, OPERATIONS),
    PERFORMANCE,
    *(BUYING, EARNINGS, PAYMENTS, PAYOUTS, POSTS, REFUNDS, SUBSCRIPTIONS, MESSAGES),
    *(BROWSER, CONTRIBUTING, ERRORS, INDEX, MIGRATIONS, QUICKSTART),
)
