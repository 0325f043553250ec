"""Pictures: one decode in a confined child, every rendition from it.

rendering   what activities call: `render`, `render_poster`
child       the job in the zygote's child
loading     a decoder for each type; limits held against the header
pixels      size, colour, orientation
previews    thumbnail, blur, ThumbHash
watermark   the creator's handle
writing     encoders
"""

from __future__ import annotations

from infra.images.rendering import (
    RenderedFile,
    RenderedImage,
    policy_from,
    render,
    render_poster,
)

__all__ = ["RenderedFile", "RenderedImage", "policy_from", "render", "render_poster"]
