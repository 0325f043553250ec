"""deploy/kubernetes against the schemas, the settings, the code and docker-compose.yml."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from devstack.manifests import BACKUP, BUILDS, FOLDER, Document, documents, faults_of
from infra.settings import Settings
from ops.backup.__main__ import parser as backup_parser
from tests.harness.pages import OPERATIONS
from tests.unit.test_compose import OURS
from workflows.queues import Queue

ALL = [document for _, document in documents(FOLDER)]
WORKERS = [f"worker-{queue.value}" for queue in Queue]


def name_of(document: Document) -> str:
    return f"{document['kind']} {document.get('metadata', {}).get('name')}"


def one(kind: str, name: str) -> Document:
    (found,) = (each for each in ALL if name_of(each) == f"{kind} {name}")
    return found


def pods() -> dict[str, Document]:
    """The pod of each deployment and job, by its name."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in ALL
        if each["kind"] in ("Deployment", "Job")
    }


KUSTOMIZATION: Document = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
SETTINGS: dict[str, str] = one("ConfigMap", "settings")["data"]
SECRETS: dict[str, str] = one("Secret", "secrets")["stringData"]


@pytest.mark.parametrize("document", ALL, ids=name_of)
def test_each_fits_its_schema(document: Document) -> None:
    assert faults_of(document) == []


def plant(document: Document, path: str, value: Any) -> Document:
    """A copy with one field set; `path` is of names and numbers."""
    planted = copy.deepcopy(document)
    place: Any = planted
    *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    for part in way:
        place = place[part]
    place[last] = value
    return planted


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("Deployment", "api", "spec/template/spec/containers/0/port", 8000),
        ("Deployment", "api", "spec/replicas", "two"),
        ("Deployment", "worker-media", "apiVersion", "apps/v2"),
        ("HorizontalPodAutoscaler", "api", "spec/metrics/0/resource/target/kind", "x"),
        ("NetworkPolicy", "parts", "spec/egress/1/ports/0/port", [1]),
        ("ScaledObject", "worker-io", "spec/minReplicas", 1),
        ("ScaledObject", "worker-io", "spec/maxReplicaCount", "many"),
        ("ScaledObject", "worker-io", "spec/triggers/0/type", "redis"),
        ("ScaledObject", "worker-io", "spec/triggers/0/metadata/queue", "io"),
        ("ScaledObject", "worker-io", "spec/triggers/0/metadata", {"taskQueue": "io"}),
    ],
)
def test_a_fault_that_is_planted_is_found(kind: str, name: str, path: str, value: Any) -> None:
    assert faults_of(plant(one(kind, name), path, value))


def test_what_is_applied_is_all_there_is() -> None:
    listed = set(KUSTOMIZATION["resources"])
    files = {path.name for path in FOLDER.glob("*.yaml")}
    assert listed == files - {"kustomization.yaml", "secrets.example.yaml"}


def test_variables_are_settings_and_secrets_stand_apart_and_empty() -> None:
    assert SETTINGS.keys() | SECRETS.keys() <= {name.upper() for name in Settings.model_fields}
    assert not SETTINGS.keys() & SECRETS.keys()
    assert set(SECRETS.values()) == {""}
    for name, field in Settings.model_fields.items():
        if "Secret" in str(field.annotation):
            assert name.upper() not in SETTINGS, "a secret in the open"


def test_what_compose_sets_is_set_here_too() -> None:
    there = {
        name
        for service in OURS.values()
        for name, value in service["environment"].items()
        if value is not None  # Left to its default there as well.
    }
    optional = {"STRIPE_API_BASE", "RELEASE", "WORKER_BUILD_ID"}
    assert there - optional <= SETTINGS.keys() | SECRETS.keys()


def test_each_process_of_compose_runs_here_by_the_same_command() -> None:
    here = {name: pod["containers"][0]["args"] for name, pod in pods().items()}
    there = {name: each["command"] for name, each in OURS.items() if "profiles" not in each}
    assert here == there


def test_everything_is_confined_and_has_its_settings() -> None:
    for name, pod in pods().items():
        (container,) = pod["containers"]
        assert container["image"] == "fansworld", name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["envFrom"] == [
            {"configMapRef": {"name": "settings"}},
            {"secretRef": {"name": "secrets"}},
        ]
        assert pod["enableServiceLinks"] is False, "or API_PORT is the service's address"
        assert "memory" in container["resources"]["limits"]


def test_ports_and_probes_are_those_of_the_code() -> None:
    assert SETTINGS["API_PORT"] == str(pods()["api"]["containers"][0]["ports"][0]["containerPort"])
    for name in [*WORKERS, "monitor"]:
        (port,) = pods()[name]["containers"][0]["ports"]
        assert (port["name"], str(port["containerPort"])) == ("metrics", SETTINGS["METRICS_PORT"])
    codec = pods()["codec"]["containers"][0]
    assert SETTINGS["CODEC_PORT"] == str(codec["ports"][0]["containerPort"])
    assert codec["livenessProbe"]["httpGet"]["path"] == "/livez"
    probed = {
        pods()["api"]["containers"][0][probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert probed == {"/livez", "/readyz"}


def test_a_pod_is_given_longer_than_its_own_grace() -> None:
    # `worker.py` ends itself 10 s after its grace.
    grace = int(SETTINGS["WORKER_GRACEFUL_SHUTDOWN_SECONDS"]) + 10
    for name in WORKERS:
        assert pods()[name]["terminationGracePeriodSeconds"] > grace
    assert pods()["api"]["terminationGracePeriodSeconds"] > float(SETTINGS["API_DRAIN_SECONDS"])


def test_a_backup_is_made_each_night_as_confined_as_the_rest() -> None:
    claim, cron = (document for _, document in documents(BACKUP))
    assert [faults_of(each) for each in (claim, cron)] == [[], []]
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    pod = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    prepare = pods()["prepare"]
    for same in ("securityContext", "enableServiceLinks", "automountServiceAccountToken"):
        assert pod[same] == prepare[same]
    (container,), (other,) = pod["containers"], prepare["containers"]
    for same in ("securityContext", "envFrom"):
        assert container[same] == other[same]
    wish = backup_parser().parse_args(container["args"])
    assert (wish.command, str(wish.dir)) == ("create", container["volumeMounts"][0]["mountPath"])
    (volume,) = (each for each in pod["volumes"] if "persistentVolumeClaim" in each)
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


@pytest.mark.parametrize("name", ["worker-io", "worker-media"])
def test_a_worker_stays_below_what_its_scratch_folder_may_hold(name: str) -> None:
    """Past that limit a pod is evicted, and the disk that it sees is the node's."""
    (container,) = pods()[name]["containers"]
    (given,) = (each for each in container["env"] if each["name"] == "SCRATCH_BYTES_MAX")
    (volume,) = (each for each in pods()[name]["volumes"] if each["name"] == "scratch")
    limit = int(volume["emptyDir"]["sizeLimit"].removesuffix("Gi")) * 1024**3
    assert limit * 3 // 4 <= int(given["value"]) <= limit - 4 * 1024**3


def test_an_encoders_memory_holds_its_decoders() -> None:
    limit = pods()["worker-media"]["containers"][0]["resources"]["limits"]["memory"]
    fields = Settings.model_fields
    decoders = fields["worker_media_slots"].default * fields["decoder_memory_bytes_max"].default
    assert int(limit.removesuffix("Gi")) * 1024**3 >= decoders + 1024**3


def test_the_page_says_how_pools_are_scaled() -> None:
    for pool, (pods_said, each_said) in OPERATIONS.table("pool").items():
        spec = one("ScaledObject", f"worker-{pool}")["spec"]
        assert pods_said == f"1 to {spec['maxReplicaCount']}"
        assert each_said.split()[0] == spec["triggers"][0]["metadata"]["targetQueueSize"]


def test_every_pool_is_scaled_by_what_waits_on_its_queue() -> None:
    for queue in Queue:
        spec = one("ScaledObject", f"worker-{queue.value}")["spec"]
        assert spec["scaleTargetRef"]["name"] == f"worker-{queue.value}"
        assert 1 == spec["minReplicaCount"] < spec["maxReplicaCount"]
        (trigger,) = spec["triggers"]
        wanted = "workflow" if queue is Queue.WORKFLOWS else "activity"
        metadata = trigger["metadata"]
        assert (metadata["taskQueue"], metadata["queueTypes"]) == (queue.value, wanted)
        assert metadata["endpoint"] == SETTINGS["TEMPORAL_ADDRESS"]
        assert metadata["namespace"] == SETTINGS["TEMPORAL_NAMESPACE"]
        assert "replicas" not in one("Deployment", f"worker-{queue.value}")["spec"]


def test_a_build_of_the_workflows_differs_in_nothing_but_being_one() -> None:
    """The example of `builds/`, with a tag put in as its head says."""
    base = [one(kind, "worker-workflows") for kind in ("Deployment", "ScaledObject")]
    (path,) = BUILDS.glob("*.yaml")
    deployment, scaled = yaml.safe_load_all(path.read_text().replace("build-tag", "0.2.0"))
    assert [faults_of(each) for each in (deployment, scaled)] == [[], []]
    for each in (deployment, scaled):
        assert each["metadata"].pop("namespace") == KUSTOMIZATION["namespace"]

    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container.pop("env") == [{"name": "WORKER_BUILD_ID", "value": "0.2.0"}]
    (image,) = KUSTOMIZATION["images"]
    assert container["image"] == f"{image['newName']}:0.2.0"
    container["image"] = image["name"]

    metadata = scaled["spec"]["triggers"][0]["metadata"]
    assert metadata.pop("workerDeploymentBuildId") == "0.2.0"
    name = Settings.model_fields["worker_deployment_name"].default
    assert metadata.pop("workerDeploymentName") == name

    as_base = json.dumps([deployment, scaled]).replace("worker-workflows-0.2.0", "worker-workflows")
    assert json.loads(as_base) == base


def test_no_budget_keeps_the_last_pod_of_a_pool_on_a_node() -> None:
    """KEDA goes down to one: `minAvailable: 1` would then stop every node from being emptied."""
    for name in [*WORKERS, "api"]:
        spec = one("PodDisruptionBudget", name)["spec"]
        assert spec["selector"]["matchLabels"] == {"app": name}
        assert ("maxUnavailable" in spec) == (name in WORKERS)
    assert one("HorizontalPodAutoscaler", "api")["spec"]["minReplicas"] > 1
