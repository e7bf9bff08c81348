-- Keeps a run that was held until now; returns 1, or 0 if it is not the held one.
-- KEYS: held run, the run, open runs, held runs of schools.
-- ARGV: id, JSON, lifetime (ms), its rank among the open ones (empty: it is over), school number (empty: the district's).
local school = ARGV[5]
local held
if school == '' then
  held = redis.call('GET', KEYS[1])
else
  held = redis.call('HGET', KEYS[4], school)
end
if held ~= ARGV[1] then
  return 0
end
if school == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('HDEL', KEYS[4], school)
end
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[2], ARGV[2])
  redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
else
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
return 1
