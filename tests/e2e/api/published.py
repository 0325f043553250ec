"""Media as ingest leaves them: rows, a wrapped key, and objects where a test fetches one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from sqlalchemy import Engine

from domain.media.hls import segment_iv
from domain.media.renditions import (
    StoryboardMeta,
    StreamMeta,
    init_key,
    segment_key,
    stream_prefix,
)
from domain.media.states import RenditionKind
from domain.media.video import StoryboardPlan
from domain.media.video.stills import Tile
from infra.db import transaction
from infra.ids import new_id
from infra.keyring import KeyRing
from infra.models import Media, Rendition, User
from infra.settings import Settings
from infra.storage import Storage
from tests.harness.rows import MakeMedia

KEY = bytes(range(16))
SEGMENTS = [b"first segment of the video", b"second, shorter"]
TIMESCALE = 30_000


@dataclass
class Publisher:
    """Makes published media. `stored` puts the objects too."""

    engine: Engine
    settings: Settings
    storage: Storage
    make_media: MakeMedia

    def image(self, owner: User, *, stored: bool = False, **columns: Any) -> Media:
        media = self._media(owner, kind="image", width=1600, height=900, **columns)
        generation = media.published_generation or 1
        rows = [
            self._picture(media, generation, RenditionKind.IMAGE, "w640.webp", "image/webp", 640),
            self._picture(media, generation, RenditionKind.IMAGE, "w640.jpg", "image/jpeg", 640),
            self._picture(
                media, generation, RenditionKind.THUMBNAIL, "thumb.jpg", "image/jpeg", 256
            ),
            self._picture(media, generation, RenditionKind.BLUR, "blur.jpg", "image/jpeg", 64),
        ]
        self._write(rows, stored=stored)
        return media

    def video(self, owner: User, *, stored: bool = False, **columns: Any) -> Media:
        key_id, key_wrapped = KeyRing(self.settings.media_master_keys).wrap(KEY)
        media = self._media(
            owner,
            kind="video",
            width=640,
            height=360,
            duration_ms=7000,
            key_id=key_id,
            key_wrapped=key_wrapped,
            **columns,
        )
        generation = media.published_generation or 1
        streams = [
            self._stream(media, generation, RenditionKind.VIDEO, "240p", codecs="avc1.64000d"),
            self._stream(media, generation, RenditionKind.VIDEO, "360p", codecs="avc1.64001e"),
            self._stream(media, generation, RenditionKind.AUDIO, "aac", codecs="mp4a.40.2"),
        ]
        stills = [
            self._picture(media, generation, RenditionKind.POSTER, "poster.jpg", "image/jpeg", 640),
            self._picture(
                media, generation, RenditionKind.POSTER_BLUR, "poster-blur.jpg", "image/jpeg", 64
            ),
            self._picture(
                media, generation, RenditionKind.STORYBOARD, "sheet-0.jpg", "image/jpeg", 320
            ),
            self._storyboard(media, generation),
        ]
        self._write([*streams, *stills], stored=stored)
        if stored:
            for stream in streams:
                self._store_stream(media, stream)
        return media

    def _media(self, owner: User, **columns: Any) -> Media:
        values = {
            "state": "ready",
            "visibility": "gated",
            "title": "Only for you",
            "alt_text": "A secret beach",
            "generation": 1,
            "published_generation": 1,
            "thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
        }
        return self.make_media(owner=owner, **(values | columns))

    def _picture(
        self,
        media: Media,
        generation: int,
        kind: RenditionKind,
        name: str,
        content_type: str,
        width: int,
    ) -> Rendition:
        root, bucket = ("m", self.storage.media)
        if kind.is_public_preview:
            root, bucket = ("p", self.storage.public)
        return Rendition(
            id=new_id(),
            media_id=media.id,
            generation=generation,
            kind=kind.value,
            name=name,
            content_type=content_type,
            bucket=bucket,
            object_key=f"{root}/{media.id}/{generation}/{name}",
            bytes=len(name),
            width=width,
            height=width * 9 // 16,
            meta={},
        )

    def _stream(
        self, media: Media, generation: int, kind: RenditionKind, name: str, *, codecs: str
    ) -> Rendition:
        sound = kind is RenditionKind.AUDIO
        return Rendition(
            id=new_id(),
            media_id=media.id,
            generation=generation,
            kind=kind.value,
            name=name,
            content_type="video/mp4",
            bucket=self.storage.media,
            object_key=stream_prefix(media.id, generation, name),
            bytes=41,
            width=None if sound else 640,
            height=None if sound else int(name[:-1]),
            duration_ms=7000,
            encrypted=True,
            segments=[[4 * TIMESCALE, 32], [3 * TIMESCALE, 16]],
            meta=StreamMeta(
                generation=generation,
                timescale=TIMESCALE,
                codecs=codecs,
                bandwidth=400_000,
                average_bandwidth=300_000,
                frame_rate=None if sound else "30000/1001",
                channels=2 if sound else None,
            ).as_meta(),
        )

    def _storyboard(self, media: Media, generation: int) -> Rendition:
        row = self._picture(
            media, generation, RenditionKind.STORYBOARD_VTT, "storyboard.vtt", "text/vtt", 0
        )
        tiles = (Tile(0, 3500, 0, 0, 0), Tile(3500, 7000, 0, 160, 0))
        row.meta = StoryboardMeta(StoryboardPlan(160, 90, tiles), ("sheet-0.jpg",)).as_meta()
        return row

    def _write(self, rows: list[Rendition], *, stored: bool) -> None:
        with transaction(self.engine) as session:
            session.add_all(rows)
        if stored:
            for row in rows:
                if row.segments is None:
                    self.storage.put_bytes(
                        row.bucket,
                        row.object_key,
                        row.name.encode(),
                        content_type=row.content_type,
                    )

    def _store_stream(self, media: Media, stream: Rendition) -> None:
        self.storage.put_bytes(
            stream.bucket, init_key(stream.object_key), b"init", content_type="video/mp4"
        )
        for index, clear in enumerate(SEGMENTS):
            iv = segment_iv(media.id, stream.generation, stream.name, index)
            self.storage.put_bytes(
                stream.bucket,
                segment_key(stream.object_key, index),
                encrypted(clear, iv=iv),
                content_type="video/iso.segment",
            )


def encrypted(clear: bytes, *, iv: bytes) -> bytes:
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(clear) + padder.finalize()) + encryptor.finalize()


def decrypted(sealed: bytes, *, key: bytes, iv: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(128).unpadder()
    padded = decryptor.update(sealed) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


@pytest.fixture
def publish(
    engine: Engine, settings: Settings, storage: Storage, make_media: MakeMedia
) -> Publisher:
    return Publisher(engine, settings, storage, make_media)
