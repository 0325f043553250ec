"""Hold `deploy/kubernetes` against the schemas of Kubernetes and of KEDA."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from pydantic import ValidationError

from infra.migrations import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
BUILDS = FOLDER / "builds"
"""What is applied once for each build of the workflows' code, beside the rest."""
BACKUP = FOLDER / "backup"
KUBERNETES = "1.33"
"""The oldest release that is looked at; later ones only add to what is used here."""
TRIGGER_REQUIRED = frozenset({"endpoint", "namespace", "taskQueue", "queueTypes"})
TRIGGER_KNOWN = TRIGGER_REQUIRED | {
    "targetQueueSize",
    "activationTargetQueueSize",
    "workerDeploymentName",
    "workerDeploymentBuildId",
    "minConnectTimeout",
    "unsafeSsl",
    "tlsServerName",
}
"""Of KEDA's scaler `temporal`, whose metadata its own schema leaves open
(keda.sh/docs/2.21/scalers/temporal)."""

Document = dict[str, Any]


def documents(folder: Path) -> Iterator[tuple[str, Document]]:
    """Each document with the name of its file."""
    for path in sorted(folder.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path.name, document


def faults_of(document: Document) -> list[str]:
    """What does not fit the schema of the document's kind."""
    kind, version = document["kind"], document["apiVersion"]
    if version.startswith("kustomize"):
        return []
    if version.startswith("keda.sh"):
        return _keda_faults(document)
    try:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(str(part) for part in error.path)}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError:
        return [f"there is no {kind} in {version}"]
    return []


def _keda_faults(document: Document) -> list[str]:
    if document["kind"] != "ScaledObject":
        return [f"{document['kind']}: only ScaledObject is expected"]
    try:
        read = ScaledObject.model_validate(document)
    except ValidationError as error:
        return [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    # The model leaves out what it does not know.
    known = read.model_dump(by_alias=True, exclude_unset=True, mode="json")
    faults = [f"{name} is unknown" for name in _names(document) - _names(known)]
    for trigger in document["spec"]["triggers"]:
        names = set(trigger["metadata"])
        if trigger["type"] != "temporal":
            faults.append(f"trigger {trigger['type']}: only `temporal` is expected")
        faults += [f"trigger: {name} is missing" for name in sorted(TRIGGER_REQUIRED - names)]
        faults += [f"trigger: {name} is unknown" for name in sorted(names - TRIGGER_KNOWN)]
    return faults


def _names(value: object, path: str = "") -> set[str]:
    """Of every field, as a path."""
    if isinstance(value, dict):
        inner = [_names(each, f"{path}.{name}") for name, each in value.items()]
        return {f"{path}.{name}".lstrip(".") for name in value}.union(*inner)
    if isinstance(value, list):
        return set().union(*(_names(each, path) for each in value))
    return set()


def _name_of(document: Document) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


def main() -> int:
    faults = [
        f"{folder.relative_to(ROOT)}/{file}: {_name_of(document)}: {fault}"
        for folder in (FOLDER, BUILDS, BACKUP)
        for file, document in documents(folder)
        for fault in faults_of(document)
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
