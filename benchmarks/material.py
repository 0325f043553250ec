"""What the benchmarks work on, made on the spot from a clip that a package ships."""

from __future__ import annotations

import io
import subprocess
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from devstack.demo.material import film

CLIP = "bigbuckbunny.mp4"
FRAME_SECONDS = 4.0
GRAIN = 4.0
"""Standard deviation of a sensor's noise, in steps of 8 bits."""


@lru_cache(maxsize=4)
def photo_jpeg(pixels: int) -> bytes:
    """A JPEG of about so many pixels, 3:2, without metadata, as a camera might store it.

    A frame of film, enlarged, under grain. Its renditions come out with the bytes that those
    of a photograph have: about 0.9 bits a pixel at 2048 and 1.9 at 320 as JPEG of quality 80.
    """
    height = round((pixels * 2 / 3) ** 0.5)
    width = round(height * 1.5)
    command = ["ffmpeg", "-nostdin", "-v", "error", "-ss", str(FRAME_SECONDS)]
    command += ["-i", str(film(CLIP)), "-frames:v", "1", "-vf", "crop=ih*3/2:ih"]
    command += ["-c:v", "png", "-f", "image2pipe", "-"]
    made = subprocess.run(command, check=True, capture_output=True)
    with Image.open(io.BytesIO(made.stdout)) as frame:
        shown = frame.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(1).normal(0, GRAIN, (height, width, 1)).astype(np.int16)
    grainy = np.clip(np.asarray(shown, dtype=np.int16) + grain, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grainy).save(buffer, "JPEG", quality=90, subsampling="4:2:0")
    return buffer.getvalue()


def film_of(height: int, *, seconds: int, folder: Path) -> Path:
    """A clip of real film in the given height, 16:9, 25 frames a second, with sound.

    Five seconds of Big Buck Bunny, over and over, under a slowly moving camera and film grain,
    so that neither decoder nor encoder meets the same picture twice.
    """
    target = folder / f"film-{height}p-{seconds}s.mp4"
    if target.exists():
        return target
    width = height * 16 // 9
    camera = (
        f"scale={width * 5 // 4}:{height * 5 // 4},"
        f"crop={width}:{height}:x='(iw-ow)*(0.5+0.5*sin(t/3))':y='(ih-oh)*(0.5+0.5*cos(t/5))',"
        "noise=alls=6:allf=t"
    )
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-stream_loop", "-1"]
    command += ["-i", str(film(CLIP)), "-vf", camera, "-t", str(seconds)]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-pix_fmt", "yuv420p"]
    command += ["-c:a", "aac", "-ac", "2", str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target
