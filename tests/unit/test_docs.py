"""What the pages say is held to the code."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from domain.auth import SessionMode
from domain.media.rejections import RejectionCode
from domain.media.states import IngestStep, MediaState, RenditionKind, Visibility, may_move
from domain.payouts.eligibility import Refusal
from domain.payouts.states import NEXT, PayoutState
from domain.posts import Audience, PostState
from domain.refunds import NEXT as REFUND_NEXT
from domain.refunds import RefundState
from domain.stripe_calls import CallState
from domain.stripe_events import POLLED, POLLED_OF_ACCOUNTS, EventState, ParkedBecause
from infra.metrics.measures import MEASURES
from infra.models import Base
from infra.settings import Settings
from infra.stripe.calls import API_VERSION
from ops.monitor.gauges import GAUGES
from tests.harness.pages import (
    ACCOUNTS,
    API,
    ARCHITECTURE,
    CONTRIBUTING,
    DECISIONS,
    INDEX,
    MEDIA,
    OPERATIONS,
    PAGES,
    PAYMENTS,
    PAYOUTS,
    POSTS,
    README,
    REFUNDS,
    ROOT,
    Page,
)
from workflows import policies
from workflows.attributes import ALL
from workflows.mail.send import SEND_STEP
from workflows.media.delete import ERASE_STEP
from workflows.policies import StepPolicy
from workflows.queues import Queue
from workflows.runner import WORKFLOWS

EACH_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.name)


def test_every_page_is_looked_at() -> None:
    assert {page.path for page in PAGES} == {ROOT / "README.md", *(ROOT / "docs").glob("*.md")}


def test_the_index_leads_to_every_page() -> None:
    listed = {link.partition("#")[0] for link in INDEX.links}
    assert {page.path.name for page in PAGES} - {"README.md"} <= listed


# --- targets ---------------------------------------------------------------------------------


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_readme_begins_with_the_two_commands() -> None:
    _, block, *_ = README.text.split("\n\n")
    commands = re.findall(r"^(\S+ \S+) +#", block, re.MULTILINE)
    assert commands == ["make demo", "make test"]


def test_ci_checks_and_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert {"make check", "make test"} <= set(script)


def test_the_table_of_targets_is_what_make_help_shows() -> None:
    shown = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(README.table("target")) == {f"make {name}" for name in shown}


def test_every_part_of_make_check_is_explained() -> None:
    parts = re.search(r"^check: (.+?) +##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert parts is not None
    assert list(CONTRIBUTING.table("part")) == parts[1].split()


@EACH_PAGE
def test_every_make_command_is_a_target(page: Page) -> None:
    code = "\n".join(page.code("bash"))
    named = {name.split()[1] for name in page.names if name.startswith("make ")}
    named |= set(re.findall(r"^make ([a-z-]+)", code, re.MULTILINE))
    assert named <= make_targets()


# --- settings --------------------------------------------------------------------------------

NO_SETTINGS = {"MEDIA_ID", "DIR", "ARGS", "SEED", "SEEDS", "STEPS", "SWEEPS", "WORKFLOWS"}
"""Placeholders, variables of make, and names in the code."""


@EACH_PAGE
def test_every_setting_named_exists(page: Page) -> None:
    named = {name.partition("=")[0] for name in page.names}
    named = {name for name in named if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|[A-Z]{4,}", name)}
    assert named - NO_SETTINGS <= {name.upper() for name in Settings.model_fields}


UNITS = {
    "": 1,
    "s": 1,
    "min": 60,
    "h": 3600,
    "MiB": 2**20,
    "GiB": 2**30,
}


def test_limits_have_the_defaults_shown() -> None:
    for name, (shown, _) in MEDIA.table("setting").items():
        if match := re.fullmatch(r"(\d+) ?(\w*)", shown):
            value = int(match[1]) * UNITS[match[2]]
            assert value == Settings.model_fields[name.lower()].default, name
        else:
            pytest.fail(f"{name}: {shown!r} is no number with a unit")


def test_every_key_is_told_how_to_change() -> None:
    keys = {name.upper() for name in Settings.model_fields if re.search(r"_keys?$", name)}
    of_other_services = {"S3_SECRET_ACCESS_KEY", "TEMPORAL_API_KEY"}
    of_other_services |= {"STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY"}
    assert set(OPERATIONS.table("setting")) == keys - of_other_services


# --- media -----------------------------------------------------------------------------------


def test_every_rejection_is_explained() -> None:
    assert set(MEDIA.table("code")) == set(RejectionCode)


def test_every_state_is_explained_and_leads_where_it_may() -> None:
    table = MEDIA.table("state")
    assert set(table) == set(MediaState)
    for state, (_, following) in table.items():
        for target in re.findall(r"`(\w+)`", following):
            assert may_move(MediaState(state), MediaState(target)), f"{state} → {target}"


def test_every_kind_of_rendition_is_explained_with_who_may_fetch_it() -> None:
    table = MEDIA.table("kind")
    assert set(table) == set(RenditionKind)
    for kind, (_, audience) in table.items():
        assert RenditionKind(kind).is_public_preview is ("anybody" in audience), kind


def test_every_audience_and_state_of_a_post_is_explained() -> None:
    assert set(POSTS.table("audience")) == set(Audience)
    assert set(POSTS.table("state")) == set(PostState)


def test_every_state_and_refusal_of_a_payout_is_explained() -> None:
    assert list(PAYOUTS.table("refusal")) == list(Refusal)
    table = PAYOUTS.table("state")
    assert set(table) == set(PayoutState)
    for state, (_, following) in table.items():
        assert set(re.findall(r"`(\w+)`", following)) == NEXT[PayoutState(state)], state


def test_every_state_of_a_refund_is_explained() -> None:
    table = REFUNDS.table("refund")
    assert set(table) == set(RefundState)
    for state, (_, following) in table.items():
        assert set(re.findall(r"`(\w+)`", following)) == REFUND_NEXT[RefundState(state)], state


def test_every_mode_and_limit_is_explained() -> None:
    assert set(ACCOUNTS.table("mode")) == set(SessionMode)
    assert set(API.table("limit")) == {"api", "uploads", "auth"}


def test_every_visibility_is_explained() -> None:
    assert set(MEDIA.table("visibility")) == set(Visibility)


# --- operations ------------------------------------------------------------------------------

BUDGETS: dict[str, StepPolicy] = {
    IngestStep.INSPECT: policies.READ_ONCE,
    IngestStep.PROBE: policies.PLAN,
    IngestStep.RENDER: policies.RENDER,
    IngestStep.AUDIO: policies.ENCODE,
    IngestStep.TRANSCODE: policies.ENCODE,
    IngestStep.MODERATE: policies.RENDER,
    IngestStep.FINISH: policies.RENDER,
    IngestStep.PUBLISH: policies.PUBLISH,
    ERASE_STEP: policies.ERASE,
    SEND_STEP: policies.SEND,
}


def test_budgets_are_those_of_the_policies() -> None:
    table = OPERATIONS.table("step")
    assert set(table) == {*IngestStep, ERASE_STEP, SEND_STEP}
    for step, (tried, silence, most) in table.items():
        policy = BUDGETS[step]
        attempts = policy.retry.maximum_attempts
        assert tried == (f"{attempts} times" if attempts else "without end"), step
        beat = policy.heartbeat
        assert silence == (f"{beat.total_seconds():g} s" if beat else "–"), step
        assert most == f"{policy.start_to_close / timedelta(minutes=1):g} min", step


def test_every_metric_of_ours_is_explained() -> None:
    measures = {each.name: list(each.labels) for each in MEASURES}
    gauges = {each.name: list(each.labels) for each in GAUGES}
    requests = {
        "fansworld_http_requests_total": ["method", "route", "status"],
        "fansworld_http_request_seconds": ["method", "route"],
    }
    table = OPERATIONS.table("metric")
    explained = {name: cells[1].split(", ") for name, cells in table.items()}
    assert explained == {
        name: labels or ["–"] for name, labels in {**measures, **gauges, **requests}.items()
    }


def test_every_queue_is_explained() -> None:
    assert set(OPERATIONS.table("queue")) == set(Queue)


@pytest.mark.parametrize("page", [README, OPERATIONS], ids=lambda page: page.path.name)
def test_queries_use_our_search_attributes(page: Page) -> None:
    ours = {key.name for key in ALL}
    named = {name for name in page.names if re.fullmatch(r"[A-Z][a-z]+[A-Z][A-Za-z]+", name)}
    asked = set(re.findall(r"(\w+) = ", " ".join(page.names)))
    assert (named | asked) - ours <= TEMPORALS | EXCEPTIONS


TEMPORALS = {"ExecutionStatus", "TemporalWorkerDeploymentVersion"}
"""Search attributes that every run has."""

EXCEPTIONS = {"OperationalError", "UnknownMasterKey", "WrappedKeyDamaged", "ValueError"}
"""Names in the runbook's table."""


def test_the_readme_names_every_search_attribute() -> None:
    assert {key.name for key in ALL} <= set(README.names)


def test_every_workflow_is_in_the_table() -> None:
    assert set(ARCHITECTURE.table("workflow")) == {each.__name__ for each in WORKFLOWS}
    talks = {name: cells[-1] for name, cells in ARCHITECTURE.table("workflow").items()}
    for each in WORKFLOWS:
        for update in ("retry_step", "skip_step"):
            assert hasattr(each, update) is (update in talks[each.__name__]), each


def test_tables_of_the_database_exist() -> None:
    stored = [cells[0] for cells in ARCHITECTURE.table("what").values()]
    named = {name for where in stored for name in re.findall(r"^`(\w+)`$", where)}
    assert named <= set(Base.metadata.tables)
    assert {"media", "uploads", "renditions", "entitlements", "audit_log"} <= named


# --- links, paths, pictures ------------------------------------------------------------------


@EACH_PAGE
def test_links_and_images_resolve(page: Page) -> None:
    for link in page.links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        assert target.exists(), f"{page.path.name}: {link}"
        if anchor:
            assert anchor in Page(target).anchors, f"{page.path.name}: {link}"


def test_every_image_is_shown_somewhere_and_small() -> None:
    shown = {
        (page.path.parent / link).resolve() for page in PAGES for link in page.links if "/" in link
    }
    for image in (ROOT / "docs" / "images").iterdir():
        assert image in shown, f"no page shows {image.name}"
        assert image.stat().st_size < 300_000, image.name


FOLDERS = (
    r"(?:activities|api|benchmarks|chaos|deploy|devstack|docs|domain|infra|ops|tests|workflows)"
)
MADE_BY_RUNS = {"benchmarks/results/latest.json"}


@EACH_PAGE
def test_every_path_named_exists(page: Page) -> None:
    named = {name for name in page.names if re.fullmatch(rf"{FOLDERS}(/[\w.-]*)+", name)}
    for name in named - MADE_BY_RUNS:
        assert (ROOT / name).exists(), f"{page.path.name}: {name}"


@EACH_PAGE
def test_every_module_that_is_run_exists(page: Page) -> None:
    for module in re.findall(r"python -m ([\w.]+)", page.text):
        if module.partition(".")[0] in sys.stdlib_module_names:
            continue
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_the_layout_names_every_folder() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    folders = {Path(name).parts[0] for name in tracked if "/" in name}
    listed = {name.rstrip("/") for name in README.table("path")}
    assert listed == {name for name in folders if not name.startswith(".")} | {"worker.py"}


def test_every_dependency_is_explained() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    quoted = re.findall(r'^    "([a-z0-9-]+)[\w\[\],>=.]*",$', project, re.MULTILINE)
    explained = " ".join(DECISIONS.table("package"))
    # Plugins and stubs go with what they are for.
    belonging = {"pytest-asyncio", "pytest-randomly", "pytest-timeout", "pytest-xdist"}
    for name in set(quoted) - belonging:
        assert re.search(rf"(^|[ ,;]){re.escape(name)}($|[ ,;])", explained), name


def test_every_state_of_an_event_is_explained() -> None:
    tables = {frozenset(table) for table in (PAYMENTS.table("parked because"),)}
    assert tables == {frozenset(ParkedBecause)}
    assert {state.value for state in EventState} <= set(PAYMENTS.names)
    assert {state.value for state in CallState} <= set(PAYMENTS.names)


def test_every_event_to_subscribe_to_is_listed() -> None:
    table = PAYMENTS.table("endpoint")
    listed = {path: re.findall(r"`([a-z_.]+)`", cells[0]) for path, cells in table.items()}
    assert listed == {
        "/webhooks/stripe": list(POLLED),
        "/webhooks/stripe/connect": list(POLLED_OF_ACCOUNTS),
    }


def test_the_pinned_version_is_said() -> None:
    assert API_VERSION in PAYMENTS.names
