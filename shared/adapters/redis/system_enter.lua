-- Says whether a system may be called: returns 0, or for how long not (ms) and why.
-- After a pause one caller finds out whether the system is well again; the others wait for what it finds.
-- KEYS: pause, ailing, probe. ARGV: how long a probe may take (ms), how long to wait for somebody else's probe (ms).
local remaining = redis.call('PTTL', KEYS[1])
if remaining > 0 then
  return {remaining, redis.call('GET', KEYS[1]), 'paused'}
end
local cause = redis.call('GET', KEYS[2])
if cause and not redis.call('SET', KEYS[3], 1, 'NX', 'PX', ARGV[1]) then
  return {tonumber(ARGV[2]), cause, 'probed'}
end
return {0}
