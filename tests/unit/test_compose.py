"""docker-compose.yml against the code: it can't be run here, but it can't drift either."""

from __future__ import annotations

import copy
import mmap
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings import Settings
from ops.__main__ import IMAGE_USER
from workflows.attributes import ALL
from workflows.queues import Queue

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
OURS = {name: each for name, each in SERVICES.items() if "build" in each}
VOLUMES = set(yaml.safe_load(TEXT)["volumes"])
SETTINGS = {name.upper() for name in Settings.model_fields}
ONE_SHOT = {"temporal-schema", "temporal-namespace", "prepare"}


def faults_of(services: dict[str, dict[str, Any]], volumes: set[str]) -> list[str]:
    """Where the file does not fit the code, the settings or itself, each with its service."""
    faults = [
        f"{name}: {fault}"
        for name, service in services.items()
        for look in (faults_of_image, faults_of_mounts)
        for fault in look(service)
    ]
    for name, service in services.items():
        faults += [f"{name}: {fault}" for fault in faults_of_order(service, services)]
        if "build" in service:
            faults += [f"{name}: {each} is no setting" for each in unknown_to_settings(service)]
            faults += [f"{name}: {fault}" for fault in faults_of_health(name, service)]
            if name != "backup":  # Its image has the program as entry point.
                faults += [f"{name}: {fault}" for fault in faults_of_command(service["command"])]
    named = {
        mount.partition(":")[0]
        for service in services.values()
        for mount in service.get("volumes", [])
        if not mount.startswith((".", "/"))
    }
    return faults + [f"volume {each}" for each in sorted(named ^ volumes)]


def faults_of_image(service: dict[str, Any]) -> list[str]:
    image = service["image"]
    if "build" in service or re.search(r":v?\d+\.\d+(\.\d+)?$", image):
        return []
    return [f"{image} is no exact version"]


def faults_of_mounts(service: dict[str, Any]) -> list[str]:
    sources = [mount.partition(":")[0] for mount in service.get("volumes", [])]
    return [
        f"{each} is not there"
        for each in sources
        if each[:2] == "./" and not (ROOT / each).exists()
    ]


def faults_of_order(service: dict[str, Any], services: dict[str, dict[str, Any]]) -> list[str]:
    """What is waited for has to be able to tell that it is well, or done."""
    faults = []
    for other, how in service.get("depends_on", {}).items():
        wanted = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
        if how["condition"] != wanted:
            faults.append(f"{other} has to be {wanted}")
        if other not in services or not (other in ONE_SHOT or "healthcheck" in services[other]):
            faults.append(f"{other} can't tell that it is well")
    return faults


def unknown_to_settings(service: dict[str, Any]) -> set[str]:
    return set(service["environment"]) - SETTINGS


HEALTH = {"api": ("API_PORT", "/readyz"), "codec": ("CODEC_PORT", "/livez")}
"""The setting of the port, and the path, that a health check asks."""


def faults_of_health(name: str, service: dict[str, Any]) -> list[str]:
    """Health checks of ours ask the port that a setting says, by a path that there is."""
    asked = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", str(service.get("healthcheck", "")))
    if asked is None:
        return [] if name in ("prepare", "backup") else ["there is no health check"]
    variable, path = HEALTH.get(name, ("METRICS_PORT", "/metrics"))
    wanted = (service["environment"][variable], path)
    return [] if asked.groups() == wanted else [f"asks {asked[0]}, and {wanted} is served"]


def test_no_secret_has_a_default() -> None:
    used = set(re.findall(r"\$\{([A-Z0-9_]+)([^}]*)\}", TEXT))
    secrets = {
        (name, rest) for name, rest in used if re.search(r"(^|_)(KEYS?|SECRET|PASSWORD)(_|$)", name)
    }
    assert {name for name, _ in secrets} >= {"PAYLOAD_KEYS", "POSTGRES_PASSWORD", "URL_SIGNING_KEY"}
    for name, rest in secrets - {("STRIPE_PUBLISHABLE_KEY", ":-")}:  # Every browser has it.
        # Empty is how the platform is told that nothing is sold; by accident it shall not be.
        must_say = "?" if name == "STRIPE_SECRET_KEY" else ":?"
        assert rest.startswith(must_say), f"{name} may be left out"


def test_no_secret_is_written_out() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if variable.startswith("GF_AUTH_"):  # Switches of Grafana's.
                continue
            if value is None:  # Passed on from where the file is used.
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


def test_the_file_fits_the_code() -> None:
    workers = {f"worker-{queue.value}" for queue in Queue}
    assert OURS.keys() == {"prepare", "api", "codec", "monitor", "backup", *workers}
    assert faults_of(SERVICES, VOLUMES) == []
    assert OURS["api"]["ports"] == ["127.0.0.1:8000:" + OURS["api"]["environment"]["API_PORT"]]
    assert 'ENTRYPOINT ["python", "-m", "ops.backup"]' in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize(
    ("service", "field", "value", "fault"),
    [
        ("api", "environment", {"API_PORTS": "8000"}, "api: API_PORTS is no setting"),
        ("api", "environment", {"API_PORT": "8001"}, "api: asks http://127.0.0.1:8000/readyz"),
        ("monitor", "healthcheck", {"test": "http://127.0.0.1:9464/up"}, "monitor: asks"),
        ("worker-io", "healthcheck", {}, "worker-io: there is no health check"),
        ("worker-io", "command", ["python", "-m", "work"], "worker-io: work.py is not there"),
        ("postgres", "image", "postgres:18", "postgres: postgres:18 is no exact version"),
        ("valkey", "image", "valkey/valkey", "valkey: valkey/valkey is no exact version"),
        ("clamd", "volumes", ["clamd:/x", "./deploy/clamav.conf:/y"], "./deploy/clamav.conf is"),
        ("s3", "volumes", ["objects:/data"], "volume objects"),
        ("s3", "volumes", [], "volume s3"),
        ("s3", "healthcheck", None, "s3 can't tell that it is well"),
        ("api", "depends_on", {"valkey": {"condition": "service_started"}}, "valkey has to be"),
    ],
)
def test_a_fault_that_is_planted_is_found(service: str, field: str, value: Any, fault: str) -> None:
    planted = copy.deepcopy(SERVICES)
    if field == "environment":
        planted[service][field] |= value
    elif value is None:
        del planted[service][field]
    else:
        planted[service][field] = value
    assert any(fault in each for each in faults_of(planted, VOLUMES))


def test_every_setting_can_be_given() -> None:
    given = set().union(*(service["environment"] for service in OURS.values()))
    # Facts of the image; and a load balancer is what draining is for.
    ours = {"SCRATCH_DIR", "FFMPEG_PATH", "FFPROBE_PATH", "POSTGRES_TOOLS_DIR"}
    assert SETTINGS - given == ours | {"API_DRAIN_SECONDS"}


def test_temporal_knows_what_it_is_told() -> None:
    """Names of its configuration stand in its program, which comes as a package, too."""
    overrides = yaml.safe_load((ROOT / "deploy/compose/temporal-dynamic.yaml").read_text())
    names = {*overrides, *SERVICES["temporal"]["environment"]} - {"SQL_PASSWORD"}  # The tools'.
    program = Path(sys.executable).parent / "temporal"
    with program.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        assert [name for name in names if text.find(name.encode()) < 0] == []
        assert text.find(b"matching.enableFairnes_") < 0, "a name that nobody knows"


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


def test_what_somebody_else_runs_can_be_left_out() -> None:
    """A service that a profile hides may not be one that ours can't start without."""
    hosted = yaml.safe_load((ROOT / "deploy/compose/hosted.yml").read_text())["services"]
    assert hosted == {name: {"profiles": ["here"]} for name in hosted}
    assert hosted.keys() == SERVICES.keys() - OURS.keys() - {"prometheus", "grafana"}
    for name, service in OURS.items():
        for other, how in service.get("depends_on", {}).items():
            assert (how.get("required") is False) == (other in hosted), f"{name}: {other}"


def test_what_the_api_lets_in_the_buckets_let_in() -> None:
    """`prepare` writes the buckets' rules, from the same origins as the API's."""
    origins = {OURS[name]["environment"]["CORS_ORIGINS"] for name in ("prepare", "api", "backup")}
    assert origins == {"${CORS_ORIGINS:-}"}


def test_an_image_without_a_target_is_the_platform() -> None:
    stages = re.findall(r"^FROM (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert stages[-1] == "platform", "or pods would run `ops.backup`"


def test_ours_can_not_write_but_where_they_should() -> None:
    for name, service in OURS.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    for stage in re.split(r"^FROM ", dockerfile, flags=re.MULTILINE)[2:-1]:
        assert re.findall(r"^USER (\w+)", stage, re.MULTILINE)[-1] == IMAGE_USER


def test_an_encoders_memory_holds_its_decoders() -> None:
    fields = Settings.model_fields
    decoders = fields["worker_media_slots"].default * fields["decoder_memory_bytes_max"].default
    limit = re.fullmatch(r"\$\{WORKER_MEDIA_MEMORY:-(\d+)g\}", OURS["worker-media"]["mem_limit"])
    assert limit is not None
    assert int(limit[1]) * 1024**3 >= decoders + 1024**3


def test_signatures_are_kept_fresh() -> None:
    clamd = SERVICES["clamd"]["environment"]
    assert clamd["CLAMAV_NO_FRESHCLAMD"] == "false"
    per_day = int(clamd["FRESHCLAM_CHECKS"])
    assert per_day * Settings.model_fields["clamd_database_age_days_max"].default >= 24


def test_every_queue_has_a_pool_of_workers() -> None:
    commands = [each["command"] for each in OURS.values() if "worker.py" in each["command"]]
    assert {command[-1] for command in commands} == {queue.value for queue in Queue}


def test_what_watches_is_for_operators_of_this_machine_only() -> None:
    for name in ("prometheus", "grafana", "temporal-ui", "codec"):
        assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"]), name
    grafana = SERVICES["grafana"]["environment"]
    assert grafana["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_PASSWORD:?")
    assert grafana["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    for folder in ("provisioning", "dashboards"):
        mounts = [m for m in SERVICES["grafana"]["volumes"] if f"grafana/{folder}:" in m]
        assert len(mounts) == 1, folder


def test_a_worker_is_given_longer_than_its_own_grace() -> None:
    for name, service in OURS.items():
        if name.startswith("worker"):
            grace = int(service["environment"]["WORKER_GRACEFUL_SHUTDOWN_SECONDS"])
            # `worker.py` ends itself 10 s after its grace.
            assert int(service["stop_grace_period"].removesuffix("s")) > grace + 10


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
