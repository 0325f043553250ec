"""One zygote for the module, and a renderer that sniffs as inspection does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from domain.media.images import ImagePolicy
from domain.media.sniffing import HEAD_BYTES, sniff
from infra.images import RenderedImage, render
from infra.sandbox import Zygote


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as running:
        yield running


@dataclass(frozen=True)
class Renderer:
    zygote: Zygote
    folder: Path

    def __call__(
        self, source: Path, policy: ImagePolicy | None = None, **options: Any
    ) -> RenderedImage:
        """Render `source` by its sniffed type into a folder of its own."""
        if "content_type" not in options:
            sniffed = sniff(source.read_bytes()[:HEAD_BYTES])
            assert sniffed is not None
            options["content_type"] = sniffed.content_type
        out_dir = self.folder / f"out-{len(list(self.folder.iterdir()))}"
        out_dir.mkdir()
        return render(
            self.zygote,
            source=source,
            out_dir=out_dir,
            policy=policy or ImagePolicy(),
            **{"watermark_text": None, **options},
        )


@pytest.fixture
def rendered(zygote: Zygote, tmp_path: Path) -> Renderer:
    folder = tmp_path / "rendered"
    folder.mkdir()
    return Renderer(zygote, folder)
