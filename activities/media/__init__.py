"""What ingest, re-processing, deletion and the sweep do to the outside."""
