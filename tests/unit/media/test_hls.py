"""Playlists as RFC 8216 asks for them."""

from __future__ import annotations

import pytest

from domain.media.hls import (
    HlsAudio,
    HlsSegment,
    HlsVariant,
    StoryboardCue,
    average_bandwidth,
    master_playlist,
    media_playlist,
    peak_bandwidth,
    segment_iv,
    storyboard_vtt,
)

_AUDIO = HlsAudio(
    uri="a.m3u8",
    name="Original",
    group_id="aac",
    channels=2,
    codecs="mp4a.40.2",
    bandwidth=130_000,
    default=True,
    language="en",
)


def _variant(height: int) -> HlsVariant:
    return HlsVariant(
        uri=f"{height}.m3u8",
        bandwidth=1_000_000,
        average_bandwidth=800_000,
        codecs="avc1.64001f",
        width=height * 16 // 9,
        height=height,
        frame_rate=30000 / 1001,
    )


def test_every_segment_has_its_own_iv_and_the_same_one_again() -> None:
    ivs = {
        segment_iv(media, generation, rung, index)
        for media in ("a", "b")
        for generation in (1, 2)
        for rung in ("240p", "480p")
        for index in range(50)
    }
    assert len(ivs) == 2 * 2 * 2 * 50
    assert segment_iv("a", 1, "240p", 7) == segment_iv("a", 1, "240p", 7)
    assert all(len(iv) == 16 for iv in ivs)


def test_the_parts_of_an_iv_do_not_run_into_each_other() -> None:
    assert segment_iv("a", 1, "1", 11) != segment_iv("a", 1, "11", 1)
    assert segment_iv("a1", 1, "x", 0) != segment_iv("a", 11, "x", 0)


def test_the_init_segment_stays_clear_and_every_segment_names_its_iv() -> None:
    segments = [HlsSegment(4.0, f"{i}.m4s", segment_iv("m", 1, "240p", i)) for i in range(3)]
    lines = media_playlist(segments=segments, init_uri="i.mp4", key_uri="key").splitlines()
    map_line = lines.index('#EXT-X-MAP:URI="i.mp4"')
    keys = [i for i, line in enumerate(lines) if line.startswith("#EXT-X-KEY")]
    assert map_line < keys[0]
    assert len(keys) == 3
    assert lines[keys[1]].endswith(f"IV=0x{segments[1].iv.hex()}")  # type: ignore[union-attr]
    assert lines[keys[1] + 1 : keys[1] + 3] == ["#EXTINF:4.000000,", "1.m4s"]
    assert lines[0] == "#EXTM3U"
    assert lines[-1] == "#EXT-X-ENDLIST"


@pytest.mark.parametrize(
    ("durations", "target"),
    [((4.0, 4.0, 1.2), 4), ((4.004, 4.004), 4), ((4.5,), 5), ((0.04,), 1), ((4.0, 4.6), 5)],
)
def test_target_duration_covers_every_rounded_segment(
    durations: tuple[float, ...], target: int
) -> None:
    segments = [HlsSegment(duration, "s.m4s") for duration in durations]
    text = media_playlist(segments=segments, init_uri="i.mp4", key_uri=None)
    assert f"#EXT-X-TARGETDURATION:{target}\n" in text


def test_a_playlist_half_encrypted_is_refused() -> None:
    iv = bytes(16)
    with pytest.raises(ValueError, match="as a whole"):
        media_playlist(segments=[HlsSegment(4, "s", iv)], init_uri="i", key_uri=None)
    with pytest.raises(ValueError, match="as a whole"):
        media_playlist(segments=[HlsSegment(4, "s")], init_uri="i", key_uri="k")
    with pytest.raises(ValueError, match="16 bytes"):
        media_playlist(segments=[HlsSegment(4, "s", b"x")], init_uri="i", key_uri="k")


@pytest.mark.parametrize("uri", ["a\n#EXT-X-ENDLIST", "a\r", "", "#EXTINF"])
def test_a_uri_can_not_add_lines(uri: str) -> None:
    with pytest.raises(ValueError, match="not possible"):
        media_playlist(segments=[HlsSegment(4, uri)], init_uri="i", key_uri=None)


def test_a_quote_can_not_leave_its_attribute() -> None:
    with pytest.raises(ValueError, match="attribute"):
        media_playlist(segments=[HlsSegment(4, "s")], init_uri='i",BYTERANGE="1', key_uri=None)


def test_variants_carry_codecs_and_bandwidth_of_their_audio() -> None:
    text = master_playlist(variants=[_variant(240), _variant(720)], audios=[_AUDIO])
    lines = text.splitlines()
    assert 'GROUP-ID="aac"' in lines[3]
    assert 'LANGUAGE="en"' in lines[3]
    assert "DEFAULT=YES" in lines[3]
    assert lines[4] == (
        "#EXT-X-STREAM-INF:BANDWIDTH=1130000,AVERAGE-BANDWIDTH=930000,"
        'CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=426x240,FRAME-RATE=29.970,AUDIO="aac"'
    )
    assert lines[5] == "240.m3u8"
    assert lines[7] == "720.m3u8"


def test_video_without_sound_names_no_audio_group() -> None:
    text = master_playlist(variants=[_variant(240)], audios=[])
    assert "AUDIO" not in text
    assert 'CODECS="avc1.64001f"' in text


def test_audio_alone_becomes_variants() -> None:
    text = master_playlist(variants=[], audios=[_AUDIO])
    assert "EXT-X-MEDIA:" not in text
    assert "#EXT-X-STREAM-INF:BANDWIDTH=130000" in text
    assert text.endswith("a.m3u8\n")


def test_an_empty_master_playlist_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        master_playlist(variants=[], audios=[])


def test_peak_is_that_of_the_worst_segment_but_not_of_a_stub() -> None:
    steady = [(4.0, 500_000), (4.0, 1_000_000), (4.0, 500_000)]
    assert peak_bandwidth(steady) == 2_000_000
    assert average_bandwidth(steady) == 1_333_334
    # A last segment of one frame has a huge rate of its own that no player has to sustain.
    stub = [(4.0, 500_000), (0.04, 100_000)]
    assert peak_bandwidth(stub) == round(600_000 * 8 / 4.04 + 0.5)


def test_media_shorter_than_a_segment_has_a_peak() -> None:
    assert peak_bandwidth([(0.04, 5_000)]) == 1_000_000


def test_storyboard_cues_name_sheet_and_tile() -> None:
    text = storyboard_vtt(
        [
            StoryboardCue(0, 2.5, "s0.jpg", 0, 0, 160, 90),
            StoryboardCue(3600.0, 3602.0015, "s1.jpg", 160, 90, 160, 90),
        ]
    )
    assert text == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.500\ns0.jpg#xywh=0,0,160,90\n\n"
        "01:00:00.000 --> 01:00:02.002\ns1.jpg#xywh=160,90,160,90\n"
    )
