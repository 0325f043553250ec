"""Compare the ledger with Stripe's books by hand: `python -m infra.reconcile --days 30`.

Changes nothing, and writes nothing down. Below the table stands what moved between Stripe and the
platform alone, such as withdrawals to its bank: that is not in the ledger. Exit code 0: they
agree. 1: they don't, and the table says where. 2: it can't be said.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import OperationalError

from domain.errors import FansworldError
from domain.reconcile import listing, report
from infra.db import make_engine
from infra.reconcile.comparing import SETTLING, Window, compare_books
from infra.settings import SettingsError, load_settings
from infra.stripe.gateway import StripeGateway


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.reconcile", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--days", type=int, default=30, help="how far back (default: 30)")
    options = parser.parse_args(arguments)
    end = datetime.now(UTC) - SETTLING
    window = Window(end - timedelta(days=options.days), end)
    try:
        settings = load_settings()
        engine = make_engine(settings)
        gateway = StripeGateway(settings, engine)
        try:
            found = compare_books(engine, gateway, window)
        finally:
            gateway.close()
            engine.dispose()
    except (SettingsError, OperationalError, FansworldError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{report(found.breaks, lines_max=200)}\n")
    sys.stdout.write(listing(found.own))
    sys.stdout.write(f"{found.sources_checked} sources compared\n")
    return 1 if found.breaks else 0


if __name__ == "__main__":
    sys.exit(main())
