#!/bin/sh
# What the official image does with its variables, as far as manifests here use them.
set -eu
umask 0077
password() { if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then cat "$POSTGRES_PASSWORD_FILE"; else printf '%s' "${POSTGRES_PASSWORD:-}"; fi; }
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    user=${POSTGRES_USER:-postgres}
    [ -n "$(password)" ] || { echo "POSTGRES_PASSWORD is empty, so anybody could change the state. Set it." >&2; exit 1; }
    file=$(mktemp) && password > "$file"
    # shellcheck disable=SC2086 - the arguments are words
    initdb --username="$user" --pwfile="$file" --auth-host=scram-sha-256 --auth-local=trust ${POSTGRES_INITDB_ARGS:-}
    rm "$file"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl --pgdata "$PGDATA" --options "-c listen_addresses=''" --wait start
    database=${POSTGRES_DB:-$user}
    [ "$database" = postgres ] || createdb --username="$user" "$database"
    for script in /docker-entrypoint-initdb.d/*; do
        case $script in
        *.sql) psql --username="$user" --dbname="$database" --set=ON_ERROR_STOP=1 --file="$script" ;;
        *.sh) sh "$script" ;;
        esac
    done
    pg_ctl --pgdata "$PGDATA" --mode=fast --wait stop
fi
[ "$1" != postgres ] || { shift; set -- postgres -c "listen_addresses=*" "$@"; }
exec "$@"
