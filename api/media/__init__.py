"""Routes of uploads, media, playback and delivery."""
