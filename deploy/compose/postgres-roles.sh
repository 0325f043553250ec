#!/bin/sh
# Run by the Postgres image once, on an empty volume. Temporal has a role and databases of its
# own on the same server, and no right on ours.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$TEMPORAL_DB_PASSWORD" --username="$POSTGRES_USER" <<'SQL'
CREATE ROLE temporal LOGIN CREATEDB PASSWORD :'password';
REVOKE CONNECT ON DATABASE fansworld FROM PUBLIC;
SQL
