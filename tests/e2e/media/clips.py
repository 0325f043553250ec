"""Videos to upload, each made for what a test looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devstack.demo.material import film
from tests.e2e.media import pictures
from tests.e2e.media.person import SourceFile
from tests.integration.media.video_clips import FAST_H264, ffmpeg, picture, tone

GREY = 90
"""Of the flat clip, in sRGB."""
TOP, BOTTOM = (200, 30, 30), (30, 40, 190)
"""Halves of the clip that lies on its side, as they are when it stands."""
TONES_HZ = (440, 1200)
"""Of the first sound track and of the default one."""
STEPS, STEPS_PER_SECOND, STEP_LUMA = 21, 25, 10
LIGHTS_NITS = {"shade": 20.0, "white": 203.0, "lamp": 600.0, "red": 203.0}
"""Fields of the HDR clip, from left to right, and how bright each is."""


def real() -> SourceFile:
    """Big Buck Bunny: 720p, 25 frames a second, 5.3 s, sound in 5.1."""
    return SourceFile("bunny.mp4", film("bigbuckbunny.mp4").read_bytes(), "video/mp4")


def dark_in_the_middle(folder: Path) -> SourceFile:
    """6 s: red, from 2 s on black, from 4 s on blue; with a moving part in each but the black."""
    path = folder / "dark.mp4"
    red, blue = (f"color={name}:s=640x360:r=25:d=2" for name in ("red", "blue"))
    moving = "testsrc2=s=320x180:r=25:d=2"
    lit = [f"[{ground}][{part}]overlay=160:90" for ground, part in ((0, 1), (3, 4))]
    ffmpeg(
        *_lavfi(red, moving, "color=black:s=640x360:r=25:d=2", blue, moving),
        *("-filter_complex", f"{lit[0]}[a];{lit[1]}[b];[a][2][b]concat=n=3"),
        *(*FAST_H264, path),
    )
    return _file(path)


def letters(folder: Path) -> SourceFile:
    """2 s of large words that must not be read in the blurred poster."""
    still = pictures.save(folder, "letter.jpg", pictures.letter().content)
    path = folder / "letters.mp4"
    size = ("-vf", "scale=720:480,format=yuv420p")
    ffmpeg("-loop", "1", "-r", "10", "-t", "2", "-i", still, *size, *FAST_H264, path)
    return _file(path)


def flat(folder: Path) -> SourceFile:
    """3 s of one grey, on which everything that is laid over it shows."""
    path = folder / "flat.mp4"
    colour = f"color=0x{GREY:02x}{GREY:02x}{GREY:02x}:s=640x360:r=25:d=3"
    ffmpeg(*_lavfi(colour), *tone(3), *FAST_H264, path)
    return _file(path)


def hdr(folder: Path) -> SourceFile:
    """1 s of the fields of `LIGHTS_NITS`, in PQ and BT.2020 as a phone records them."""
    still = folder / "lights.png"
    path = folder / "hdr.mp4"
    _write_lights(still)
    tags = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none"
    to_bt2020 = (
        "zscale=min=gbr:m=bt2020nc:rin=pc:r=tv:t=smpte2084:p=bt2020:tin=smpte2084:pin=bt2020"
    )
    ffmpeg(
        *("-loop", "1", "-r", "10", "-t", "1", "-i", still),
        *("-vf", f"format=gbrp16le,{to_bt2020},format=yuv420p10le"),
        *("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", tags, "-tag:v", "hvc1", path),
    )
    return _file(path)


def on_its_side(folder: Path) -> SourceFile:
    """A phone held upright: stored lying, red above blue when it stands. Two sound tracks, of
    which the second, German one is the default."""
    lying, path = folder / "lying.mp4", folder / "upright.mp4"
    halves = [f"color=0x{r:02x}{g:02x}{b:02x}:s=320x480:r=25:d=2" for r, g, b in (TOP, BOTTOM)]
    ffmpeg(
        *_lavfi(*halves),
        *(*tone(2, frequency=TONES_HZ[0]), *tone(2, frequency=TONES_HZ[1])),
        *("-filter_complex", "[0][1]hstack", "-map", "2", "-map", "3"),
        *(*FAST_H264, "-disposition:a:0", "0", "-disposition:a:1", "default"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu", lying),
    )
    # ffmpeg 5.1 writes a display matrix only when copying.
    turned = ("-metadata:s:v:0", "rotate=270")
    ffmpeg("-i", lying, "-map", "0", "-c", "copy", *turned, path)
    return _file(path)


def odd(folder: Path) -> SourceFile:
    """3 s of 427×241 at an irregular rate, without sound."""
    path = folder / "odd.mkv"
    gaps = "select='not(between(n,20,50))+not(mod(n,7))',scale=427:241,setsar=1"
    ffmpeg(
        *(*picture(3, rate="30"), "-vf", gaps, "-fps_mode", "vfr", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-pix_fmt", "yuv444p", path),
    )
    return SourceFile(path.name, path.read_bytes(), "video/x-matroska")


def steps(folder: Path, seconds: int) -> SourceFile:
    """Grey gets lighter with each frame and starts over after `STEPS`, so that each frame tells
    its place; with sound. Key frames do not lie where segments begin."""
    path = folder / "steps.mp4"
    grey = f"color=black:s=32x18:r={STEPS_PER_SECOND}:d={seconds}"
    lighter = f"geq=lum='16+{STEP_LUMA}*mod(N,{STEPS})':cb=128:cr=128"
    ffmpeg(
        *(*_lavfi(grey), *tone(seconds), "-vf", f"{lighter},scale=640:360:flags=neighbor"),
        *FAST_H264,
        *("-qp", "4", "-g", "37", path),
    )
    return _file(path)


def grey_of_step(frame: int) -> float:
    """In sRGB, of a frame of `steps`."""
    return STEP_LUMA * (frame % STEPS) * 255 / 219


def moving(folder: Path, seconds: int) -> SourceFile:
    """A test picture with a running counter, without sound."""
    path = folder / "moving.mp4"
    ffmpeg(*picture(seconds, size="640x360"), *FAST_H264, "-crf", "36", "-g", "40", path)
    return _file(path)


def repeated(folder: Path, clip: SourceFile, times: int) -> SourceFile:
    """The clip several times over, without encoding it again."""
    once, path = folder / clip.name, folder / f"{times}-times-{clip.name}"
    once.write_bytes(clip.content)
    ffmpeg("-stream_loop", str(times - 1), "-i", once, "-c", "copy", path)
    return _file(path)


def _lavfi(*sources: str) -> tuple[str, ...]:
    return tuple(each for source in sources for each in ("-f", "lavfi", "-i", source))


def _file(path: Path) -> SourceFile:
    return SourceFile(path.name, path.read_bytes(), "video/mp4")


def _write_lights(path: Path) -> None:
    """16-bit PQ code values of BT.2020, full range."""
    wide, high = 640, 360
    # The red of BT.709 in BT.2020's primaries (ITU-R BT.2087).
    colours = {"red": (0.6274, 0.0691, 0.0164)}
    fields = [
        [nits * part for part in colours.get(name, (1.0, 1.0, 1.0))]
        for name, nits in LIGHTS_NITS.items()
    ]
    codes = _pq(np.array(fields) / 10_000)
    column = np.repeat(np.round(codes * 65535).astype(np.uint16), wide // len(fields), axis=0)
    _save_png16(path, np.broadcast_to(column, (high, *column.shape)))


def _pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084: light (1 is 10,000 nits) as a code value from 0 to 1."""
    powered = light**0.1593017578125
    coded: NDArray[np.float64] = ((0.8359375 + 18.8515625 * powered) / (1 + 18.6875 * powered)) ** (
        78.84375
    )
    return coded


def _save_png16(path: Path, rgb: NDArray[np.uint16]) -> None:
    """Pillow writes no 16-bit colour, so it goes through raw samples."""
    high, wide, _ = rgb.shape
    raw = path.with_suffix(".raw")
    raw.write_bytes(np.ascontiguousarray(rgb).tobytes())
    ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", f"{wide}x{high}", "-i", raw, path),
    )
