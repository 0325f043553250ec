"""A platform is backed up, lost, and brought back."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text, update
from sqlalchemy.orm import Session

from infra.db import transaction
from infra.ids import new_id
from infra.keyring import KeyRing
from infra.models import AuditEntry, Base, Media, Rendition, TotpSecret, Upload
from infra.queries import audit, monitoring
from infra.settings import Settings
from infra.storage import Storage
from ops.backup import database
from ops.backup.__main__ import create, main
from ops.backup.__main__ import restore as bring_back
from ops.backup.repository import BackupFault, Repository
from ops.backup.soundness import unsound
from tests.harness.earnings import Earner
from tests.harness.rows import MakeMedia, MakeUser

SEGMENTS = 3


@dataclass
class Site:
    """A platform with buckets of its own, and where its backups lie."""

    settings: Settings
    engine: Engine
    storage: Storage
    root: Path

    @property
    def repository(self) -> Repository:
        return Repository(self.root)

    def back_up(self) -> str:
        return create(self.settings, self.repository).name

    def faults(self, settings: Settings | None = None, head: str | None = None) -> list[str]:
        return list(unsound(settings or self.settings, self.storage, audit_head=head))

    def lose_objects(self) -> None:
        for bucket in (self.storage.quarantine, self.storage.media, self.storage.public):
            for stored in list(self.storage.list_prefix(bucket, "")):
                self.storage.delete(bucket, stored.key)


@pytest.fixture
def site(settings: Settings, engine: Engine, worker_name: str, tmp_path: Path) -> Iterator[Site]:
    own = {
        f"s3_bucket_{name}": f"{worker_name}-backup-{name}"
        for name in ("quarantine", "media", "public")
    }
    changed = settings.model_copy(update=own)
    with closing(Storage(changed)) as storage:
        storage.ensure_buckets()
        made = Site(changed, engine, storage, tmp_path / "backups")
        made.lose_objects()
        yield made


@pytest.fixture
def media(site: Site, make_media: MakeMedia, make_user: MakeUser) -> Media:
    """A published video with a poster, beside money and a log of what was done."""
    owner = make_user()
    video = make_media(
        owner=owner, kind="video", state="ready", generation=1, published_generation=1
    )
    storage, prefix = site.storage, f"m/{video.id}/1"
    storage.put_bytes(
        storage.quarantine, video.original_key, b"original" * 99, content_type="video/mp4"
    )
    storage.put_bytes(storage.media, f"work/{video.id}/1/x", b"frames", content_type="x/y")
    storage.put_bytes(storage.public, f"p/{video.id}/1/blur.jpg", b"jpg", content_type="image/jpeg")
    for number in range(SEGMENTS):
        storage.put_bytes(
            storage.media,
            f"{prefix}/v480/{number:05}.m4s",
            b"segment %d" % number,
            content_type="video/iso.segment",
        )
    with transaction(site.engine) as session:
        session.add(_upload(video))
        session.add(_rendition(video, "v480", storage.media, f"{prefix}/v480", [[1, 9]] * SEGMENTS))
        session.add(_rendition(video, "blur.jpg", storage.public, f"p/{video.id}/1/blur.jpg", None))
        audit.record(session, _entry(video))
    Earner(site.engine, owner).sell(1_000)
    return video


def _upload(video: Media) -> Upload:
    return Upload(
        id=new_id(),
        media_id=video.id,
        owner_id=video.owner_id,
        state="completed",
        declared_bytes=1,
        declared_type="video/mp4",
        object_key=video.original_key,
        part_bytes=1,
        part_count=1,
        expires_at=datetime.now(UTC),
    )


def _rendition(
    video: Media, name: str, bucket: str, key: str, segments: list[list[int]] | None
) -> Rendition:
    return Rendition(
        media_id=video.id,
        generation=1,
        kind="video" if segments else "blur",
        name=name,
        content_type="video/mp4" if segments else "image/jpeg",
        bucket=bucket,
        object_key=key,
        bytes=9,
        segments=segments,
    )


def _entry(video: Media) -> AuditEntry:
    return AuditEntry(
        actor_name="ada",
        action="media.published",
        subject_type="media",
        subject_id=video.id,
        detail={},
    )


@pytest.fixture
def empty_database(settings: Settings, worker_name: str) -> Iterator[str]:
    name = f"restored_{worker_name}"
    server = settings.database_url.rpartition("/")[0]
    with psycopg.connect(
        server.replace("+psycopg", "") + "/postgres", autocommit=True
    ) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield f"{server}/{name}"
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def rows_of(url: str) -> dict[str, list[str]]:
    engine = create_engine(url)
    with Session(engine) as session:
        rows = {
            table: sorted(
                str(row) for (row,) in session.execute(text(f"SELECT t::text FROM {table} t"))
            )
            for table in Base.metadata.tables
        }
    engine.dispose()
    return rows


def objects_of(storage: Storage) -> dict[tuple[str, str], tuple[bytes, str | None]]:
    return {
        (bucket, stored.key): (
            storage.read(bucket, stored.key),
            storage.get(bucket, stored.key).content_type,
        )
        for bucket in (storage.quarantine, storage.media, storage.public)
        for stored in storage.list_prefix(bucket, "")
    }


def test_what_was_lost_comes_back_as_it_was(site: Site, media: Media, empty_database: str) -> None:
    assert site.faults() == []
    before = rows_of(site.settings.database_url), objects_of(site.storage)
    name = site.back_up()
    assert list(site.repository.faults(name)) == []
    facts = site.repository.facts(name)
    assert facts.objects == 2 + SEGMENTS
    site.lose_objects()
    assert len(site.faults()) == 3, "one for the original, the rung and the preview"

    there = site.settings.model_copy(update={"database_url": empty_database})
    assert bring_back(there, site.repository, name) == facts.objects
    passing = (site.storage.media, f"work/{media.id}/1/x")
    del before[1][passing]
    assert (rows_of(empty_database), objects_of(site.storage)) == before
    assert site.faults(there, facts.audit_head) == []


@pytest.mark.usefixtures("media")
def test_the_monitor_learns_how_old_the_newest_backup_is(site: Site) -> None:
    with transaction(site.engine) as session:
        assert monitoring.last_backup_at(session) is None
    site.back_up()
    newest = site.repository.facts(site.back_up())
    with transaction(site.engine) as session:
        assert monitoring.last_backup_at(session) == datetime.fromisoformat(newest.begun_at)


@pytest.mark.usefixtures("media")
def test_a_backup_that_the_database_hears_nothing_of_is_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = site.settings.model_copy(
        update={"database_url": "postgresql+psycopg://nobody@127.0.0.1:9/nothing"}
    )
    told = database.note
    monkeypatch.setattr(database, "note", lambda _, *given, **named: told(away, *given, **named))
    with pytest.raises(BackupFault, match="is whole, but the database could not be told"):
        site.back_up()
    [name] = site.repository.names()
    assert [*site.repository.faults(name)] == []


@pytest.mark.usefixtures("media")
def test_a_backup_of_an_older_schema_is_made_without_a_note(site: Site) -> None:
    with site.engine.begin() as connection:
        connection.execute(text("ALTER TABLE backups RENAME TO later"))
    try:
        assert site.back_up() in site.repository.names()
    finally:
        with site.engine.begin() as connection:
            connection.execute(text("ALTER TABLE later RENAME TO backups"))


@pytest.mark.usefixtures("media")
def test_a_restore_that_was_cut_off_goes_on(site: Site, empty_database: str) -> None:
    name = site.back_up()
    site.lose_objects()
    there = site.settings.model_copy(update={"database_url": empty_database})
    broken = there.model_copy(update={"postgres_tools_dir": "/nowhere"})
    with pytest.raises(BackupFault, match="POSTGRES_TOOLS_DIR"):
        bring_back(broken, site.repository, name)
    assert bring_back(there, site.repository, name) == 0, "its objects were there already"
    assert site.faults(there) == []


def test_only_what_is_new_is_fetched_and_only_what_is_named_is_kept(
    site: Site, media: Media
) -> None:
    first = site.back_up()
    store = site.root / "objects"
    stored = {path.name: path.stat().st_ino for path in store.glob("*/*")}
    storage = site.storage
    storage.put_bytes(storage.public, "p/new", b"another", content_type="image/jpeg")
    storage.delete(storage.quarantine, media.original_key)
    second = site.back_up()
    now = {path.name: path.stat().st_ino for path in store.glob("*/*")}
    assert now.items() > stored.items()
    assert len(now) == len(stored) + 1
    assert site.repository.names() == [first, second]
    removed, gone = site.repository.prune(keep=1)
    assert (removed, gone) == ([first], 1), "the original that only the first one names"
    assert list(site.repository.faults(second)) == []


@pytest.mark.usefixtures("media")
def test_a_backup_that_was_cut_off_is_none_and_costs_no_other(site: Site) -> None:
    """Its last file may be there, whole or empty: only the name that it gets at the end counts."""
    with pytest.raises(BackupFault, match="There is no backup"):
        site.repository.prune(keep=1)
    whole = site.back_up()
    cut_off = site.repository.begin("29990101T000000Z")
    (cut_off / "backup.json").touch()
    assert site.repository.names() == [whole]
    assert site.repository.resolve(None) == whole
    assert site.repository.prune(keep=1) == ([], 0)
    assert not cut_off.exists()
    assert [*site.repository.faults(whole)] == []


@pytest.mark.usefixtures("media")
def test_damage_is_found_and_nothing_is_restored_from_it(site: Site, empty_database: str) -> None:
    name = site.back_up()
    line = next(iter(site.repository.lines(name)))
    path = site.repository.object_path(line.sha256)
    whole = path.read_bytes()
    path.write_bytes(b"X" + whole[1:])
    assert list(site.repository.faults(name)) == [
        f"{line.bucket}/{line.key} is not what was fetched"
    ]
    there = site.settings.model_copy(update={"database_url": empty_database})
    with pytest.raises(BackupFault, match=r"damaged.*Nothing was restored"):
        bring_back(there, site.repository, name)
    assert next(site.repository.faults(name)).endswith("is missing or cut off"), "it was set aside"
    assert [*site.repository.faults(site.back_up())] == [], "and fetched again"
    path.write_bytes(whole[:-1])
    assert [*site.repository.faults(site.back_up())] == [], "one that is cut off, too"
    assert path.read_bytes() == whole
    dump = site.repository.folder(name) / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-1])
    assert [*site.repository.faults(name)] == [
        "database.dump is missing, or is not what was written"
    ]


@pytest.mark.usefixtures("media")
def test_nothing_that_is_there_is_written_over(site: Site, empty_database: str) -> None:
    name = site.back_up()
    with pytest.raises(BackupFault, match=r"has \d+ tables already"):
        bring_back(site.settings, site.repository, name)
    there = site.settings.model_copy(update={"database_url": empty_database})
    site.lose_objects()
    site.storage.put_bytes(site.storage.public, "p/foreign", b"x", content_type="image/jpeg")
    with pytest.raises(BackupFault, match="p/foreign"):
        bring_back(there, site.repository, name)
    elsewhere = there.model_copy(update={"s3_bucket_media": f"{site.storage.media}-2"})
    with pytest.raises(BackupFault, match="S3_BUCKET_MEDIA"):
        bring_back(elsewhere, site.repository, name)


def test_rows_that_do_not_add_up_are_told(site: Site, media: Media) -> None:
    storage = site.storage
    storage.delete(storage.media, f"m/{media.id}/1/v480/00001.m4s")
    with site.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE audit_log SET action = 'nothing'"))
        connection.execute(
            text(
                "UPDATE account_balances SET posted_minor = posted_minor + 1 WHERE account_id = "
                "(SELECT account_id FROM account_balances LIMIT 1)"
            )
        )
    rung, log, ledger = site.faults()
    assert rung == f"media {media.id}: 1 of v480 are missing (m/{media.id}/1/v480)"
    assert log.startswith("audit log: position 1")
    assert ledger == "ledger: the accounts in USD add up to 1, not to zero"


@pytest.mark.usefixtures("media")
def test_media_that_is_gone_needs_no_objects(site: Site) -> None:
    site.lose_objects()
    with transaction(site.engine) as session:
        session.execute(update(Media).values(deleted_at=datetime.now(UTC), state="deleted"))
    assert site.faults() == []


def test_keys_that_are_not_those_of_the_rows_are_told(site: Site, media: Media) -> None:
    settings = site.settings
    key_id, wrapped = KeyRing(settings.media_master_keys).wrap(b"key")
    account_id, secret = KeyRing(settings.account_master_keys).wrap(b"secret")
    with transaction(site.engine) as session:
        session.execute(update(Media).values(key_id=key_id, key_wrapped=wrapped))
        session.add(TotpSecret(user_id=media.owner_id, key_id=account_id, secret_wrapped=secret))
    assert site.faults() == []
    other = SecretStr(base64.b64encode(b"0" * 32).decode())
    strange = {"media_master_keys": {"new": other}, "account_master_keys": {account_id: other}}
    assert site.faults(settings.model_copy(update=strange)) == [
        f"MEDIA_MASTER_KEYS: no key {key_id!r} in a ring of master keys",
        f"ACCOUNT_MASTER_KEYS: a key wrapped by {account_id!r} does not open",
    ]


def test_the_command_says_what_it_does(
    site: Site,
    media: Media,
    stack_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in stack_environment.items():
        monkeypatch.setenv(name, value)
    for name in ("quarantine", "media", "public"):
        monkeypatch.setenv(f"S3_BUCKET_{name.upper()}", getattr(site.settings, f"s3_bucket_{name}"))
    root = str(site.root)
    assert main(["verify", root]) == 1
    assert "There is no backup" in capsys.readouterr().err
    assert main(["create", root]) == 0
    assert "5 objects" in capsys.readouterr().out
    assert main(["list", root]) == 0
    assert main(["verify", root]) == 0
    assert main(["check"]) == 0
    assert "the ledger is zero" in capsys.readouterr().out
    site.storage.delete(site.storage.quarantine, media.original_key)
    assert main(["check"]) == 1
    assert "its original is missing" in capsys.readouterr().out
    assert main(["restore", root]) == 1
    assert "tables already" in capsys.readouterr().err
    assert main(["prune", root, "--keep", "1"]) == 0
