"""Ingest from the upload to what a viewer sees, on the whole stack."""
