"""The alert rules, by Prometheus' own tool: each fires where it should, and says what to do."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.harness.pages import OPERATIONS, ROOT
from workflows.queues import Queue

FOLDER = ROOT / "deploy" / "prometheus"


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, cwd=FOLDER, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_its_configuration_and_the_rules() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "config", "prometheus.yml")


def test_in_a_cluster_the_jobs_are_called_as_the_rules_say(tmp_path: Path) -> None:
    config = yaml.safe_load((FOLDER / "kubernetes.yml").read_text())
    (job,) = config["scrape_configs"]
    # Debian's build of promtool knows no cluster: how its pods are found is not looked at.
    found = job.pop("kubernetes_sd_configs")
    assert found == [{"role": "pod", "namespaces": {"names": ["fansworld"]}}]
    config["rule_files"] = [str(FOLDER / "alerts.yml")]
    (tmp_path / "rest.yml").write_text(yaml.safe_dump(config))
    assert f"{len(rules())} rules found" in promtool("check", "config", tmp_path / "rest.yml")
    names = [each for each in job["relabel_configs"] if each.get("target_label") == "job"]
    pods = ["api", "monitor", *(f"worker-{queue.value}" for queue in Queue)]

    def job_of(pod: str) -> str | None:
        for each in names:
            if match := re.fullmatch(each["regex"], pod):
                return str(each.get("replacement", match[0]))
        return None

    ruled = set(re.findall(r'up\{job="(\w+)"', (FOLDER / "alerts.yml").read_text()))
    assert {job_of(pod) for pod in pods} == ruled


def test_each_alert_fires_alone_and_none_where_all_is_well() -> None:
    promtool("test", "rules", "alerts.test.yml")
    tests = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())["tests"]
    expected = [
        sample["labels"]
        for test in tests
        for asked in test["promql_expr_test"]
        for sample in asked["exp_samples"]
    ]
    shown = {name for labels in expected for name in re.findall(r'alertname="(\w+)"', labels)}
    assert shown == {rule["alert"] for rule in rules()}


def test_each_alert_says_what_happened_and_links_to_what_to_do() -> None:
    for rule in rules():
        said = rule["annotations"]
        assert said.keys() == {"summary", "description", "runbook_url"}, rule["alert"]
        page, _, anchor = said["runbook_url"].partition("#")
        assert ROOT / page == OPERATIONS.path
        assert anchor == rule["alert"].lower()
        assert anchor in OPERATIONS.anchors
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_every_service_that_is_scraped_exists() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    scraped: dict[str, str] = {}
    for job in config["scrape_configs"]:
        for found in job.get("dns_sd_configs", []):
            scraped |= dict.fromkeys(found["names"], str(found["port"]))
        for found in job.get("static_configs", []):
            scraped |= dict(target.split(":") for target in found["targets"])
    ours = {name: each["environment"] for name, each in services.items() if "build" in each}
    for measures_nothing in ("prepare", "backup", "codec"):
        del ours[measures_nothing]
    assert scraped == {
        name: str(environment.get("METRICS_PORT") or environment["API_PORT"])
        for name, environment in ours.items()
    }


def test_grafana_finds_the_dashboard_and_where_its_numbers_are() -> None:
    grafana = ROOT / "deploy" / "grafana"
    provisioning = grafana / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())
    providers = yaml.safe_load((provisioning / "dashboards/fansworld.yml").read_text())
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    mounts = dict(mount.split(":")[:2] for mount in services["grafana"]["volumes"])
    (provider,) = providers["providers"]
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    name = home.removeprefix(provider["options"]["path"] + "/")
    board = json.loads((grafana / "dashboards" / name).read_text())
    (source,) = sources["datasources"]
    assert "prometheus" in services
    assert source["url"] == "http://prometheus:9090"
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


def test_prometheus_understands_what_each_panel_asks(tmp_path: Path) -> None:
    board = json.loads((ROOT / "deploy/grafana/dashboards/job-backbone.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(asked)]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(asked)} rules found" in promtool("check", "rules", path)
