"""Sound as it comes out: how loud, how long, in step with the pictures, and drawn."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from domain.media.audio import AudioPolicy, Treatment, audio_renditions_for
from infra.video import AudioRendition, EncodedSound, encode_audio
from tests.integration.media.video_clips import (
    FAST_H264,
    TOOLS,
    ffmpeg,
    ffprobe,
    picture,
    probed,
    tone,
)

POLICY = AudioPolicy()


def sound_of(path: Path, folder: Path, *, is_recording: bool = False) -> EncodedSound:
    track = probed(path, folder).audio
    assert track is not None
    return encode_audio(
        source=path,
        track=track,
        renditions=audio_renditions_for(is_recording=is_recording, policy=POLICY),
        policy=POLICY,
        tools=TOOLS,
        work_dir=folder,
        wants_waveform=True,
    )


def joined(rendition: AudioRendition, folder: Path) -> Path:
    """The rendition as one file: the init segment and all segments in a row."""
    path = folder / f"joined-{rendition.name}.mp4"
    parts = [rendition.init, *(cut.path for cut in rendition.segments)]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def loudness(path: Path) -> tuple[float, float]:
    """Integrated loudness in LUFS and true peak in dBTP."""
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-i", str(path)]
    command += ["-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    said = said[said.rindex("Summary:") :]
    integrated, peak = re.search(r"I:\s+(\S+)", said), re.search(r"Peak:\s+(\S+)", said)
    assert integrated is not None and peak is not None
    return float(integrated.group(1)), float(peak.group(1))


def test_sound_is_brought_to_the_target_loudness(tmp_path: Path) -> None:
    path = tmp_path / "quiet.wav"
    noise = "anoisesrc=c=pink:d=8:a=0.05:seed=1"
    ffmpeg("-f", "lavfi", "-i", noise, "-ac", "2", path)
    sound = sound_of(path, tmp_path, is_recording=True)
    assert sound.levelling.treatment is Treatment.LOUDNORM
    assert [each.name for each in sound.renditions] == ["aac", "opus"]
    for rendition in sound.renditions:
        integrated, peak = loudness(joined(rendition, tmp_path))
        assert integrated == pytest.approx(-16, abs=1)
        assert peak <= -1


def test_loud_sound_is_brought_down(tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=f=600:d=5,volume=12dB", "-ac", "1", path)
    (aac,) = sound_of(path, tmp_path).renditions
    assert loudness(joined(aac, tmp_path))[0] == pytest.approx(-16, abs=1)


def test_a_clip_too_short_for_the_normaliser_is_levelled_by_gain(tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=f=600:d=1.5,volume=-10dB", path)
    sound = sound_of(path, tmp_path)
    assert sound.levelling.treatment is Treatment.GAIN
    assert loudness(joined(sound.renditions[0], tmp_path))[0] == pytest.approx(-16, abs=1)


@pytest.mark.parametrize("seconds", [0.02, 0.2, 5])
def test_silence_and_blips_are_left_alone(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "silence.wav"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", str(seconds), path)
    sound = sound_of(path, tmp_path)
    assert (sound.measured, sound.levelling.treatment) == (None, Treatment.NOTHING)
    assert set(sound.waveform.data if sound.waveform else ()) == {0}


def test_renditions_are_48_khz_stereo_in_segments_of_four_seconds(tmp_path: Path) -> None:
    path = tmp_path / "six.flac"
    surround = "pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0"
    ffmpeg(*tone(9.2), "-af", surround, "-ar", "44100", path)
    sound = sound_of(path, tmp_path, is_recording=True)
    for rendition, codec in zip(sound.renditions, ("mp4a.40.2", "opus"), strict=True):
        assert rendition.codecs == codec
        (stream,) = ffprobe(joined(rendition, tmp_path), "-show_streams")["streams"]
        assert (stream["sample_rate"], stream["channels"]) == ("48000", 2)
        assert rendition.duration_ms == pytest.approx(9200, rel=0.01)
        seconds = [cut.duration_ticks / rendition.timescale for cut in rendition.segments]
        assert seconds == pytest.approx([4, 4, 1.2], abs=0.55)


def test_segments_do_not_drift_from_the_grid(tmp_path: Path) -> None:
    path = tmp_path / "minutes.wav"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono", "-t", "60", path)
    (aac,) = sound_of(path, tmp_path).renditions
    end = 0.0
    for index, cut in enumerate(aac.segments[:-1]):
        end += cut.duration_ticks / aac.timescale
        assert end == pytest.approx(4 * (index + 1), abs=0.51)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_sound_that_starts_later_than_the_pictures_stays_in_step(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"late.{ending}"
    ffmpeg(*picture(5, size="320x240"), "-itsoffset", "1.5", *tone(3.5), *FAST_H264, path)
    (aac,) = sound_of(path, tmp_path).renditions
    raw = tmp_path / "late.s16"
    ffmpeg("-i", joined(aac, tmp_path), "-ac", "1", "-ar", "8000", "-f", "s16le", raw)
    samples = memoryview(raw.read_bytes()).cast("h")
    first = next(index for index, value in enumerate(samples) if abs(value) > 1000)
    assert first / 8000 == pytest.approx(1.5, abs=0.06)
    assert len(samples) / 8000 == pytest.approx(5, abs=0.06)


def test_the_waveform_follows_the_sound(tmp_path: Path) -> None:
    path = tmp_path / "half.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=f=300:d=4,volume='if(lt(t,2),0,1)':eval=frame", path)
    sound = sound_of(path, tmp_path)
    assert sound.waveform is not None
    written = sound.waveform.as_json()
    assert (written["version"], written["bits"], written["channels"]) == (2, 8, 1)
    data = sound.waveform.data
    assert len(data) == 2 * 1000 == 2 * int(str(written["length"]))
    assert max(map(abs, data[:990])) <= 2
    assert min(data[1010:1990:2]) < -10
    assert max(data[1011:1990:2]) > 10
    seconds = sound.waveform.samples_per_peak * 1000 / sound.waveform.sample_rate_hz
    assert seconds == pytest.approx(4, rel=0.01)


def test_progress_runs_from_nothing_to_all(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    ffmpeg(*tone(5), path)
    track = probed(path, tmp_path).audio
    assert track is not None
    shares: list[float] = []
    names: list[tuple[str, int]] = []
    encode_audio(
        source=path,
        track=track,
        renditions=audio_renditions_for(is_recording=False, policy=POLICY),
        policy=POLICY,
        tools=TOOLS,
        work_dir=tmp_path,
        on_segment=lambda name, cut: names.append((name, cut.index)),
        on_progress=shares.append,
    )
    assert names == [("aac", 0), ("aac", 1)]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] == 1
