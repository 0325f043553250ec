"""docker-compose.yml against the code: it can't be run here, but it can't drift either."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings import Settings
from workflows.attributes import ALL
from workflows.queues import Queue

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
OURS = {name: each for name, each in SERVICES.items() if "build" in each}
ONE_SHOT = {"temporal-schema", "temporal-namespace", "prepare"}


def test_every_variable_of_our_services_is_a_setting() -> None:
    workers = {f"worker-{queue.value}" for queue in Queue}
    assert OURS.keys() == {"prepare", "api", "monitor", "backup", *workers}
    fields = {name.upper() for name in Settings.model_fields}
    for name, service in OURS.items():
        assert service["environment"].keys() <= fields, name


def test_no_secret_has_a_default() -> None:
    used = set(re.findall(r"\$\{([A-Z0-9_]+)([^}]*)\}", TEXT))
    secrets = {
        (name, rest) for name, rest in used if re.search(r"(^|_)(KEYS?|SECRET|PASSWORD)(_|$)", name)
    }
    assert {name for name, _ in secrets} >= {"PAYLOAD_KEYS", "POSTGRES_PASSWORD", "URL_SIGNING_KEY"}
    for name, rest in secrets - {("STRIPE_PUBLISHABLE_KEY", ":-")}:  # Every browser has it.
        assert rest.startswith(":?"), f"{name} may be left out"


def test_no_secret_is_written_out() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if variable.startswith("GF_AUTH_"):  # Switches of Grafana's.
                continue
            if re.search(r"(^|_)(KEYS?|KEY_ID|SECRET|PASSWORD|PWD|AUTH)(_|$)", variable):
                assert str(value).startswith("${"), f"{name}: {variable}"


def faults_of_command(command: list[str]) -> list[str]:
    """What of a command of ours is not there: its module or its flags."""
    program, *arguments = command
    if program != "python":
        return [f"{program} is not python"]
    if arguments[0] == "-m":
        path = ROOT / arguments[1].replace(".", "/")
        place, flags = path / "__main__.py" if path.is_dir() else path.with_suffix(".py"), []
    else:
        place, flags = ROOT / arguments[0], arguments[1:]
    if not place.exists():
        return [f"{place.relative_to(ROOT)} is not there"]
    text = place.read_text()
    return [f"{flag} is unknown" for flag in flags if flag[:2] == "--" and f'"{flag}"' not in text]


def test_every_command_of_ours_exists() -> None:
    for name, service in OURS.items():
        if name != "backup":  # Its image has the program as entry point.
            assert faults_of_command(service["command"]) == [], name
    assert 'ENTRYPOINT ["python", "-m", "ops.backup"]' in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize(
    "command",
    [
        ["uvicorn", "api"],
        ["python", "-m", "apis"],
        ["python", "work.py"],
        ["python", "worker.py", "--queues", "io"],
    ],
)
def test_a_command_that_does_not_exist_is_found(command: list[str]) -> None:
    assert faults_of_command(command)


def test_ports_are_those_that_processes_listen_on() -> None:
    """Of ours: what is published, and what health checks ask, is what a setting says."""
    assert OURS["api"]["ports"] == ["127.0.0.1:8000:" + OURS["api"]["environment"]["API_PORT"]]
    for name, service in OURS.items():
        asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", str(service.get("healthcheck", "")))
        if asked is None:
            assert name in ("prepare", "backup"), f"{name} has no health check"
            continue
        variable = "API_PORT" if name == "api" else "METRICS_PORT"
        assert asked[1] == service["environment"][variable], name
        assert asked[2] == ("/readyz" if name == "api" else "/metrics"), name


def test_parts_are_asked_at_the_ports_that_they_serve() -> None:
    settings = OURS["api"]["environment"]
    assert "-s3.port=8333" in SERVICES["s3"]["command"]
    defaults = {
        "DATABASE_URL": "@postgres:5432/",
        "VALKEY_URL": "@valkey:6379/",
        "S3_ENDPOINT": "http://s3:8333",
        "TEMPORAL_ADDRESS": "temporal:7233",
        "CLAMD_ADDRESS": "clamd:3310",
        "SMTP_PORT": "1025",
    }
    for name, address in defaults.items():
        assert address in settings[name], name


def test_every_variable_that_may_be_given_is_explained() -> None:
    explained = (ROOT / ".env.example").read_text()
    for name in set(re.findall(r"\$\{([A-Z0-9_]+)", TEXT)):
        assert re.search(rf"^(# +)?{name}=", explained, re.MULTILINE), name


def test_ours_can_not_write_but_where_they_should() -> None:
    for name, service in OURS.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    for stage in re.split(r"^FROM ", dockerfile, flags=re.MULTILINE)[2:]:
        assert re.findall(r"^USER (\w+)", stage, re.MULTILINE)[-1] == "fansworld"


def test_an_encoders_memory_holds_its_decoders() -> None:
    fields = Settings.model_fields
    decoders = fields["worker_media_slots"].default * fields["decoder_memory_bytes_max"].default
    limit = int(OURS["worker-media"]["mem_limit"].removesuffix("g")) * 1024**3
    assert limit >= decoders + 1024**3


def test_every_volume_is_declared_and_used() -> None:
    named = {
        mount.partition(":")[0]
        for service in SERVICES.values()
        for mount in service.get("volumes", [])
        if not mount.startswith((".", "/"))
    }
    assert named == set(yaml.safe_load(TEXT)["volumes"])


def test_signatures_are_kept_fresh() -> None:
    clamd = SERVICES["clamd"]["environment"]
    assert clamd["CLAMAV_NO_FRESHCLAMD"] == "false"
    per_day = int(clamd["FRESHCLAM_CHECKS"])
    assert per_day * Settings.model_fields["clamd_database_age_days_max"].default >= 24


def test_every_queue_has_a_pool_of_workers() -> None:
    commands = [each["command"] for each in OURS.values() if "worker.py" in each["command"]]
    assert {command[-1] for command in commands} == {queue.value for queue in Queue}


def test_what_watches_is_for_operators_of_this_machine_only() -> None:
    for name in ("prometheus", "grafana", "temporal-ui"):
        assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"]), name
    grafana = SERVICES["grafana"]["environment"]
    assert grafana["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_PASSWORD:?")
    assert grafana["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    for folder in ("provisioning", "dashboards"):
        mounts = [m for m in SERVICES["grafana"]["volumes"] if f"grafana/{folder}:" in m]
        assert len(mounts) == 1, folder


def test_start_order_waits_for_what_can_tell_that_it_is_well() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert how["condition"] == wanted, f"{name} on {other}"
            assert other in ONE_SHOT or "healthcheck" in SERVICES[other]


def test_a_worker_is_given_longer_than_its_own_grace() -> None:
    for name, service in OURS.items():
        if name.startswith("worker"):
            grace = int(service["environment"]["WORKER_GRACEFUL_SHUTDOWN_SECONDS"])
            # `worker.py` ends itself 10 s after its grace.
            assert int(service["stop_grace_period"].removesuffix("s")) > grace + 10


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned_and_mounted_files_exist(name: str) -> None:
    service = SERVICES[name]
    assert not service["image"].endswith(":latest")
    assert ":" in service["image"]
    for mount in service.get("volumes", []):
        source = mount.partition(":")[0]
        if source.startswith("./"):
            assert (ROOT / source).exists(), source


def test_the_namespace_job_registers_our_search_attributes() -> None:
    script = (ROOT / "deploy/compose/temporal-namespace.sh").read_text()
    registered = dict(re.findall(r"(\w+):(Keyword|Bool|Int|Text|Datetime)", script))
    assert registered.keys() == {key.name for key in ALL}
    for key in ALL:
        assert registered[key.name].upper() == key.indexed_value_type.name


def test_clamd_scans_whatever_we_send_it() -> None:
    config = (ROOT / "deploy/compose/clamd.conf").read_text()
    options = dict(line.split(maxsplit=1) for line in config.splitlines() if line[:1].isalpha())
    default = Settings.model_fields["clamd_stream_bytes_max"].default
    for limit in ("StreamMaxLength", "MaxFileSize", "MaxScanSize"):
        assert int(options[limit]) >= default, limit
    assert options["AlertExceedsMax"] == "yes"


def test_the_image_holds_every_package_and_the_same_uv() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for package in ("domain", "workflows", "activities", "infra", "api", "ops"):
        assert f"COPY {package} {package}\n" in dockerfile
        assert f"!{package}\n" in (ROOT / ".dockerignore").read_text()
    version = re.search(r"UV_VERSION := (\S+)", (ROOT / "Makefile").read_text())
    assert version is not None
    assert f"uv=={version[1]}" in dockerfile
