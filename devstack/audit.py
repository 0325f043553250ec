"""Ask the advisory services about every installed package, and say plainly if none answered.

`pip-audit` reports "no known vulnerabilities" also when it could look up nothing, as behind a
proxy that serves packages and no advisories. Here a package that was not looked up is not
counted as clean.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

SERVICES = ("pypi", "osv")
TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Audit:
    service: str
    audited: int
    skipped: tuple[str, ...]
    findings: tuple[str, ...]
    """`package version: advisory (mended in …)`"""


def audit_with(service: str) -> Audit | None:
    """What one service knows of the packages of this environment; None if it can't be asked."""
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", service]
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
        return None
    return read_report(service, packages)


def read_report(service: str, packages: Sequence[dict[str, object]]) -> Audit:
    """Count what pip-audit's JSON report says; see its README, "JSON output"."""
    skipped = tuple(str(package["name"]) for package in packages if "skip_reason" in package)
    findings = tuple(
        f"{package['name']} {package['version']}: {found['id']} "
        f"(mended in {', '.join(found['fix_versions']) or 'no version yet'})"
        for package in packages
        for found in package.get("vulns", [])  # type: ignore[attr-defined]
    )
    return Audit(service, len(packages) - len(skipped), skipped, findings)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m devstack.audit", description=__doc__)
    parser.add_argument(
        "--required", action="store_true", help="fail also where no advisory service answers"
    )
    options = parser.parse_args(arguments)
    for service in SERVICES:
        audit = audit_with(service)
        if audit is None or audit.audited == 0:
            continue
        print(f"audit: {audit.audited} packages looked up at {service}")
        if audit.skipped:
            print(f"audit: NOT looked up: {', '.join(audit.skipped)}")
        for finding in audit.findings:
            print(f"audit: {finding}")
        return 1 if audit.findings or (audit.skipped and options.required) else 0
    print(
        "audit: NOT DONE. No advisory service answers from this network "
        f"({', '.join(SERVICES)}), so nothing is known about vulnerable packages. "
        "Run `make audit` where one is reachable."
    )
    return 1 if options.required else 0


if __name__ == "__main__":
    sys.exit(main())
