#!/bin/sh
# Starts Redis with its users, for containers: start.sh SECRETS RUN, where RUN is a directory for the ACL file.
# What follows is given to redis-server.
set -eu

here=$(dirname "$0")
secrets=${1:?name the directory of secrets}
run=${2:?name a directory that is writable}
shift 2

umask 077
sh "$here/users.sh" "$secrets" > "$run/users.acl"
exec redis-server "$here/redis.conf" --aclfile "$run/users.acl" "$@"
