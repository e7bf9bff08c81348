-- Ends a lease whose work is not done: it waits again; returns 1, or 0 if the lease is not held any more.
-- KEYS[7] waits. Own arguments: course id, token, delay (ms), attempts, the cause (or nothing).
local course, token = ARGV[FIRST_ARG], ARGV[FIRST_ARG + 1]
local delay, attempts = tonumber(ARGV[FIRST_ARG + 2]), ARGV[FIRST_ARG + 3]
if not holds_lease(course, token) then
  return 0
end
local cause = ARGV[FIRST_ARG + 4]
if cause ~= '' then
  local since = string.match(redis.call('HGET', KEYS[7], course) or '', '^(%d+) ')
  redis.call('HSET', KEYS[7], course, (since or whole(NOW)) .. ' ' .. cause)
end
if not give_back(course) then
  local pending = pending_key(course)
  -- A worker that gives its course back is alive: only leases lost in a row count.
  redis.call('HDEL', pending, 'now', 'lost')
  if tonumber(attempts) > (number_in(pending, 'attempts') or 0) then
    redis.call('HSET', pending, 'failed', with_moment(redis.call('HGET', pending, 'failed'), NOW))
  end
  redis.call('HSET', pending, 'not_before', whole(NOW + delay), 'attempts', attempts)
end
schedule(course)
return 1
