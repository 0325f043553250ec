"""Playback in a browser: hls.js in headless Chromium, on what ingest has published."""
