#!/bin/sh
# What the official image does with the variables that k8s/ gives it; arguments are those of postgres.
set -eu
umask 0077
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    password=$(mktemp)
    printf '%s' "$POSTGRES_PASSWORD" > "$password"
    initdb --pgdata "$PGDATA" --encoding UTF8 --locale C.UTF-8 --username "$POSTGRES_USER" --pwfile "$password" \
        --auth-host scram-sha-256 --auth-local trust
    rm "$password"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl --pgdata "$PGDATA" --options "-c listen_addresses=''" --wait start
    createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl --pgdata "$PGDATA" --mode fast --wait stop
fi
exec postgres -D "$PGDATA" -c "listen_addresses=*" "$@"
