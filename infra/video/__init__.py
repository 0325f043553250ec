"""Video and sound by ffmpeg: probe, encode in segments, stills, loudness, checks."""
