"""Rules of media: states, limits, rendition plans, playlists, verdicts."""
