-- Opens a dead letter, or updates it if it is open; returns its fields.
-- KEYS: letter, all letters, the course's letters. ARGV: now (ms, or empty), letter id, then pairs of fields.
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(ARGV[1]) or (time[1] * 1000 + math.floor(time[2] / 1000)))
redis.call('HSET', KEYS[1], 'last', now, unpack(ARGV, 3))
redis.call('HSETNX', KEYS[1], 'first', now)
redis.call('ZADD', KEYS[2], 'NX', now, ARGV[2])
redis.call('SADD', KEYS[3], ARGV[2])
return redis.call('HGETALL', KEYS[1])
