"""Hold migrations to what a running platform bears: squawk reads the SQL that they make.

Revisions up to `BASELINE` made empty databases, and are not asked about. A later one may break a
rule where its module says so and why:

    allowed = {"ban-drop-column": "no release reads it since 1.4"}

Which rules squawk is not to mind at all stands in `.squawk.toml`, with the reasons.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from infra.migrations import ROOT, make_config

BASELINE = "0035"
OFFLINE_URL = "postgresql+psycopg://offline"
"""Nothing is connected to: the SQL is written down only."""
SQUAWK = Path(sys.executable).parent / "squawk"


@dataclass(frozen=True)
class Finding:
    revision: str
    rule: str
    """A squawk rule's name, or `allowed` of an exception that nothing needs."""
    message: str

    def __str__(self) -> str:
        return f"{self.revision}: {self.rule}: {self.message}"


def check_migrations(config: Config) -> list[Finding]:
    """Of all revisions after the baseline, oldest first.

    Raises:
        subprocess.CalledProcessError: squawk itself failed; what it said is in `stderr`.
    """
    scripts = ScriptDirectory.from_config(config)
    later = reversed(list(scripts.iterate_revisions("heads", BASELINE)))
    return [finding for script in later for finding in _check(config, script)]


def _check(config: Config, script: Script) -> list[Finding]:
    broken = _broken_rules(_sql_of(config, script))
    allowed: Mapping[str, str] = getattr(script.module, "allowed", {})
    findings = [
        Finding(script.revision, rule, message) for rule, message in broken if not allowed.get(rule)
    ]
    unused = allowed.keys() - {rule for rule, _ in broken}
    return findings + [
        Finding(script.revision, "allowed", f"{rule} is not broken here") for rule in sorted(unused)
    ]


def _sql_of(config: Config, script: Script) -> str:
    config.output_buffer = io.StringIO()
    command.upgrade(config, f"{script.down_revision}:{script.revision}", sql=True)
    return config.output_buffer.getvalue()


def _broken_rules(sql: str) -> list[tuple[str, str]]:
    done = subprocess.run(
        [SQUAWK, "--config", ROOT / ".squawk.toml", "--reporter", "json"],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )
    # It exits with 1 for findings as for faults of its own; only findings are JSON.
    try:
        found = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise subprocess.CalledProcessError(
            done.returncode, "squawk", done.stdout, done.stderr
        ) from None
    lines = sql.splitlines()
    return [
        (each["rule_name"], f"{each['message']} ({lines[each['line']].strip()})") for each in found
    ]


def main() -> int:
    findings = check_migrations(make_config(OFFLINE_URL))
    for finding in findings:
        print(finding, file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
