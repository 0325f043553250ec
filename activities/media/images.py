"""Pictures: every rendition from one decode, judged, stored and written down."""

from __future__ import annotations

from pathlib import Path

from activities.errors import typed_failures
from activities.media.children import child_faults
from activities.media.judging import judge_pictures, record_judgement
from activities.media.originals import fetch_original
from activities.media.pictures import Picture, store_pictures
from activities.parts import WorkerParts
from activities.progress import Reporter
from domain.media.states import IngestStep
from infra.db import transaction
from infra.images import RenderedImage as Rendered
from infra.images import policy_from, render
from infra.models import Media
from infra.moderation import Judged
from infra.queries import ingest
from infra.queries.ingest import RenditionRow
from workflows.declarations import implements
from workflows.media import steps
from workflows.media.messages import RenderedImage, RenderInput


class ImageActivities:
    """Rendering of pictures."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    @implements(steps.render_image)
    def render_image(self, order: RenderInput) -> RenderedImage:
        with typed_failures():
            media = self._load(order)
            report = Reporter(self._parts, order.media_id, order.generation, IngestStep.RENDER)
            report.at(0.0)
            with self._parts.scratch.job("image") as folder:
                source = folder / "original"
                fetch_original(self._parts, media, source, report)
                report.at(0.1)
                with report.kept_alive():
                    rendered = self._render(order, media, source, folder)
                report.at(0.7)
                rows = self._store(order, rendered)
                report.at(0.85)
                judged = None if order.only_renditions else self._judge(rendered, report)
                outcome = self._write(order, rendered, rows, judged)
            return RenderedImage(
                renditions=len(rows),
                bytes_written=sum(row.bytes for row in rows),
                moderation=outcome,
            )

    def _load(self, order: RenderInput) -> Media:
        with transaction(self._parts.engine) as session:
            media = ingest.load_media(session, order.media_id, generation=order.generation)
            session.expunge(media)
            return media

    def _render(self, order: RenderInput, media: Media, source: Path, folder: Path) -> Rendered:
        out_dir = folder / "out"
        out_dir.mkdir()
        with child_faults():
            return render(
                self._parts.zygote,
                source=source,
                out_dir=out_dir,
                policy=policy_from(self._parts.settings),
                watermark_text=media.watermark_text,
                content_type=order.content_type,
                only=order.only_renditions,
            )

    def _store(self, order: RenderInput, rendered: Rendered) -> list[RenditionRow]:
        pictures = [
            Picture.of(self._parts, file, media_id=order.media_id, generation=order.generation)
            for file in rendered.renditions
        ]
        store_pictures(self._parts, pictures)
        return [picture.row for picture in pictures]

    def _judge(self, rendered: Rendered, report: Reporter) -> Judged:
        """A small picture of our own making is looked at, never the original."""
        with report.kept_alive():
            return judge_pictures(self._parts, [rendered.sample])

    def _write(
        self,
        order: RenderInput,
        rendered: Rendered,
        rows: list[RenditionRow],
        judged: Judged | None,
    ) -> str:
        with transaction(self._parts.engine) as session:
            media = ingest.load_media(
                session, order.media_id, generation=order.generation, lock=True
            )
            ingest.upsert_renditions(
                session, media_id=media.id, generation=order.generation, rows=rows
            )
            if order.only_renditions:
                ingest.keep_published_renditions(
                    session, media, generation=order.generation, remade=order.only_renditions
                )
            media.width, media.height = rendered.width, rendered.height
            media.thumbhash = rendered.thumbhash or media.thumbhash
            media.facts = {**media.facts, **rendered.facts}
            if judged is not None:
                record_judgement(media, judged)
            ingest.write_progress(
                session,
                media_id=media.id,
                generation=order.generation,
                step=IngestStep.RENDER.value,
                percent=90,
            )
            return media.moderation_outcome or "pass"
