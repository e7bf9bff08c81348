#!/bin/sh
# Prints Redis's ACL file: the users of users.acl.in, each with the password in the file of its name.
#
#     users.sh SECRETS > users.acl
#
# SECRETS holds a file per user: redis-passback, redis-metrics, redis-backup, redis-replica, redis-sentinel. One whose
# file is not there, or empty, does not exist in Redis. Only hashes are printed.
set -eu

here=$(dirname "$0")
secrets=${1:?name the directory of secrets}

hash_of() {
    printf '%s' "$(cat "$1")" | sha256sum | cut -d ' ' -f 1
}

[ -s "$secrets/redis-passback" ] || { echo "users.sh: $secrets/redis-passback is missing" >&2; exit 2; }

while read -r line; do
    name=$(printf '%s' "$line" | cut -d ' ' -f 2)
    placeholder=$(printf '%s' "$name" | tr '[:lower:]' '[:upper:]')
    case $line in
        *"#$placeholder# "*)
            [ -s "$secrets/redis-$name" ] || continue
            printf '%s\n' "$line" | sed "s/#$placeholder# /#$(hash_of "$secrets/redis-$name") /"
            ;;
        *) printf '%s\n' "$line" ;;
    esac
done < "$here/users.acl.in"
