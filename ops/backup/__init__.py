"""Backups of Postgres and S3, and what they are worth: `python -m ops.backup`.

repository   where backups lie, and the objects that they share
database     the database's dump, and what it is brought back by
objects      buckets into the repository, and back
soundness    whether a platform has all that its rows name
"""
