-- Claims due courses, the longest due first, while fewer than a limit are claimed; returns their ids.
-- A claim nobody took and a lease nobody renewed end here, and their courses are due at once.
-- Own argument: the limit.
for _, course in ipairs(redis.call('ZRANGEBYSCORE', CLAIMED, '-inf', whole(NOW))) do
  redis.call('ZREM', CLAIMED, course)
  schedule_at_once(course)
end
for _, course in ipairs(redis.call('ZRANGEBYSCORE', LEASED, '-inf', whole(NOW))) do
  give_back(course)
  schedule_at_once(course)
end

local free = tonumber(ARGV[FIRST_ARG]) - redis.call('ZCARD', CLAIMED)
if free <= 0 then
  return {}
end
local due = redis.call('ZRANGEBYSCORE', DUE, '-inf', whole(NOW), 'LIMIT', 0, whole(free))
for _, course in ipairs(due) do
  redis.call('ZREM', DUE, course)
  redis.call('ZADD', CLAIMED, whole(NOW + CLAIM_FOR), course)
end
return due
