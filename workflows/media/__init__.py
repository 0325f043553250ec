"""Ingest, re-processing and deletion of media."""
