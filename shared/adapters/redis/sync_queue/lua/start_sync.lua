-- Leases a claimed course; returns the fencing token and the taken change set's fields, or nothing if it is not claimed.
-- Own argument: course id.
local course = ARGV[FIRST_ARG]
if redis.call('ZREM', CLAIMED, course) == 0 then
  return false
end
local pending, taken = pending_key(course), taken_key(course)
fields_of(pending, 'first')
if redis.call('EXISTS', pending) == 0 then
  widen(pending, NOW, NOW, 0)
end
redis.call('RENAME', pending, taken)

-- Tokens follow the clock, so that a Redis that forgot the last ones gives none of them a second time.
local token = whole(math.max(NOW, (tonumber(redis.call('GET', FENCE) or '') or 0) + 1))
redis.call('SET', FENCE, token)
redis.call('HSET', taken, 'token', token)
redis.call('ZADD', LEASED, whole(NOW + LEASE_FOR), course)
return {token, redis.call('HGETALL', taken)}
