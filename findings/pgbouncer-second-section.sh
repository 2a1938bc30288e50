#!/usr/bin/env bash
# PgBouncer 1.18.0, as Debian 12 has it. Debian 12; root needs a user `nobody`.
#
# A configuration in which the head [pgbouncer] stands a second time: every setting that stood below the first one is back at
# its default, and nothing is said. Settings below [databases] stay, and a setting that stands twice below one head counts as it
# stands last.
#
# Bites: whoever appends to a file or includes one (%include) that brings the head along, as a drop-in would. A pool_size, a
# pool_mode, a TLS setting is gone. Append lines without the head, or keep one head in all files together.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)

mkdir -p "$work/archives/partial"
cd "$work"
apt-get -qq -o Dir::Cache="$work" -o Debug::NoLocking=1 --download-only -y --no-install-recommends install pgbouncer > /dev/null
for package in archives/*.deb; do dpkg -x "$package" .; done
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(echo "$work"/usr/lib/*-linux-gnu)
usr/sbin/pgbouncer --version | head -1 | grep -x 'PgBouncer 1.18.0'

# What it says when it begins; it listens at a socket only, and is ended at once.
begun_with() {
    rm -rf s; mkdir s; chmod 777 s
    { printf '[databases]\nd = host=/nowhere\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = %s/s\nauth_type = any\n' "$work"
      printf '%b' "$1"; } > c.ini
    timeout -s INT 2 "${as[@]}" usr/sbin/pgbouncer c.ini 2>&1 | grep -o 'max_client_conn: [0-9]*' || true
}
once=$(begun_with 'max_client_conn = 7\n')
twice=$(begun_with "max_client_conn = 7\nmax_client_conn = 8\n")
second=$(begun_with "max_client_conn = 7\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = $work/s\nauth_type = any\n")
printf '%s\n' "one head: $once" "one head, the setting twice: $twice" "a second head without it: $second"
[ "$once" = 'max_client_conn: 7' ]
[ "$twice" = 'max_client_conn: 8' ]
[ "$second" = 'max_client_conn: 100' ]
echo "As told: a second head sets what stood below the first one back to its default."
