-- Ends a lease whose work is done; returns 1, or 0 if it is not held any more. Own arguments: course id, token.
-- KEYS[7] waits.
local course, token = ARGV[FIRST_ARG], ARGV[FIRST_ARG + 1]
if not holds_lease(course, token) then
  return 0
end
end_lease(course)
redis.call('HDEL', KEYS[7], course)
if redis.call('EXISTS', pending_key(course)) == 1 then
  schedule(course)
end
return 1
