"""Operators' commands as the pages show them are those that the parsers take."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from ops.__main__ import parser as ops_parser
from ops.backup.__main__ import parser as backup_parser
from ops.deploys import parser as deploys_parser
from tests.harness.pages import OPERATIONS, PAGES

PARSERS = {
    "ops": ops_parser,
    "ops.backup": backup_parser,
    "ops.deploys": deploys_parser,
}
SHOWN = [
    (page.path.name, module, arguments)
    for page in PAGES
    for module, arguments in re.findall(r"^python -m (ops[.\w]*) (.*)$", page.text, re.MULTILINE)
    if module in PARSERS
]


def commands_of(parser: argparse.ArgumentParser) -> set[str]:
    (subparsers,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return set(subparsers.choices)


def test_the_tables_list_every_command() -> None:
    assert set(OPERATIONS.table("command")) == commands_of(ops_parser())
    backups = {row.split()[0] for row in OPERATIONS.table("of a backup")}
    assert backups == commands_of(backup_parser())


def test_the_help_text_lists_every_command() -> None:
    for parser in (ops_parser(), backup_parser()):
        listed = set(re.findall(r"^    ([a-z-]+)", parser.description or "", re.MULTILINE))
        assert listed == commands_of(parser), parser.prog


@pytest.mark.parametrize(("page", "module", "arguments"), SHOWN)
def test_what_a_page_shows_is_taken(page: str, module: str, arguments: str) -> None:
    parsed, _ = PARSERS[module]().parse_known_args(shlex.split(arguments))
    assert parsed.command == arguments.split()[0], page


def test_commands_that_are_named_in_passing_exist() -> None:
    for page in PAGES:
        for module, command in re.findall(r"`python -m (ops[.\w]*) ([a-z-]+)[ `]", page.text):
            assert command in commands_of(PARSERS[module]()), f"{page.path.name}: {command}"
