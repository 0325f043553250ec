"""`python -m devstack up|down|status|env|mail|install`: what `make up` and `make down` run."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from devstack.install import InstallFailed, install
from devstack.mailbox import Mailbox, NoMail
from devstack.part import PartFailed
from devstack.ports import NoFreePort
from devstack.stack import Stack, StackFailed

STATE_COLOURS = {"running": "green", "real service": "cyan", "stopped": "red"}


def up(stack: Stack, console: Console) -> int:
    """Start everything, or what is missing of it, and show where it is."""
    with console.status("starting the stack …") as status:
        states: dict[str, str] = {}

        def report(name: str, state: str) -> None:
            states[name] = state
            waiting = [part for part, now in states.items() if now in ("starting", "checking")]
            status.update(f"starting {', '.join(waiting)} …" if waiting else "…")

        stack.start(report=report)
        status.update("bringing the database and the buckets up to date …")
        stack.migrate()
        stack.start_apps(report=report)
    show(stack, console)
    environment = stack.environment
    console.print(f"API docs     {environment['API_PUBLIC_URL']}/docs")
    if ui := environment.get("TEMPORAL_UI_URL"):
        console.print(f"Temporal UI  {ui}")
    console.print(f"Metrics      {environment['API_PUBLIC_URL']}/metrics")
    for row in stack.status():
        if row.address.endswith("/metrics"):
            console.print(f"             {row.address} ({row.name})")
    console.print("Stop it with `make down`; its variables: `python -m devstack env`.")
    return 0


def down(stack: Stack, console: Console) -> int:
    with console.status("stopping the stack …"):
        stopped = stack.stop()
    console.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


def status(stack: Stack, console: Console) -> int:
    """Exit code 3 where a part is stopped, as `systemctl status` has it."""
    show(stack, console)
    return 3 if any(row.state == "stopped" for row in stack.status()) else 0


def env(stack: Stack, console: Console) -> int:  # noqa: ARG001
    """Print the settings of the running stack in a form that a shell can read."""
    for name, value in stack.current_environment().items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def mail(stack: Stack, console: Console) -> int:
    """List the mails that were caught, and show the newest."""
    caught = Mailbox(stack.run_dir).mails()
    if not caught:
        console.print("no mail was caught so far")
        return 0
    table = Table("to", "subject", "file", box=None)
    for each in caught:
        table.add_row(each.to, each.subject, os.path.relpath(each.path))
    console.print(table)
    console.print(f"\n{caught[-1].text}", markup=False, highlight=False, soft_wrap=True)
    return 0


def show(stack: Stack, console: Console) -> None:
    table = Table("part", "state", "pid", "address", "log", box=None)
    for row in stack.status():
        log = os.path.relpath(row.log) if row.log else ""
        colour = STATE_COLOURS[row.state]
        pid = str(row.pid or "")
        table.add_row(row.name, f"[{colour}]{row.state}[/]", pid, row.address, log)
    console.print(table)


def mail_token(stack: Stack, address: str) -> int:
    """Wait for the newest mail to an address, and print the token that its link carries."""
    try:
        print(Mailbox(stack.run_dir).wait_for(address).token)
    except NoMail as error:
        print(error, file=sys.stderr)
        return 1
    return 0


COMMANDS = {"up": up, "down": down, "status": status, "env": env, "mail": mail}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    parser.add_argument("command", choices=[*COMMANDS, "install"])
    parser.add_argument("--run-dir", type=Path, default=Path(".run"))
    parser.add_argument(
        "--token-to", metavar="ADDRESS", help="mail: print the token in the newest mail to it"
    )
    options = parser.parse_args(arguments)
    console = Console()
    # Ended by SIGTERM it tidies up as on Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if options.command == "install":
            install(["stack"], say=console.print)
            return 0
        stack = Stack(options.run_dir)
        if options.command == "mail" and options.token_to:
            return mail_token(stack, options.token_to)
        return COMMANDS[options.command](stack, console)
    except (StackFailed, PartFailed, NoFreePort, InstallFailed) as error:
        console.print(str(error), style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; what this command had started was stopped")
        return 130


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
