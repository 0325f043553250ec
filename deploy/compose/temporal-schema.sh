#!/bin/sh
# One shot, before the Temporal server: make or update its two databases. Safe to repeat.
set -eu
for database in temporal temporal_visibility; do
    folder=$(echo "$database" | sed 's/^temporal_//')
    tool="temporal-sql-tool --plugin postgres12 --endpoint $POSTGRES_SEEDS --port $DB_PORT \
        --user $POSTGRES_USER --database $database"
    update="$tool update-schema --schema-dir /etc/temporal/schema/postgresql/v12/$folder/versioned"
    # In this order, so that a database that has a version is never set back to the first one.
    if ! $update; then
        $tool create-database
        $tool setup-schema --version 0.0
        $update
    fi
done
