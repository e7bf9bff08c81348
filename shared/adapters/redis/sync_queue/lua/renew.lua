-- Prolongs a lease; returns 1, or 0 if it is not held any more. Own arguments: course id, token.
local course, token = ARGV[FIRST_ARG], ARGV[FIRST_ARG + 1]
if not holds_lease(course, token) then
  return 0
end
redis.call('ZADD', LEASED, whole(NOW + LEASE_FOR), course)
return 1
