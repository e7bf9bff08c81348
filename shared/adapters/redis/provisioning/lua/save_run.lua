-- Keeps a run as its worker left it; returns 1, or 0 if the lease is lost, or -1 if a person has decided about it.
-- A run that is not over yet has no lifetime: it must not vanish while it waits.
-- KEYS: lease, the run, open runs, held run, held runs of schools, runs that have not begun, applied data sets, all runs.
-- ARGV: token, id, JSON, lifetime (ms), whereabouts (open, held, over), kind (empty: it has not begun), school number
-- (empty: the district's), opened (ms), 1 if it must still be held, then pairs: data set, what was applied of it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local id, where, school = ARGV[2], ARGV[5], ARGV[7]
local held
if school == '' then
  held = redis.call('GET', KEYS[4])
else
  held = redis.call('HGET', KEYS[5], school)
end
if ARGV[9] == '1' and held ~= id then
  return -1
end
if where == 'over' then
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
else
  redis.call('SET', KEYS[2], ARGV[3])
end
redis.call('ZADD', KEYS[8], 'NX', ARGV[8], id)
if where ~= 'open' then
  redis.call('ZREM', KEYS[3], id)
end
if where == 'held' then
  if school == '' then
    redis.call('SET', KEYS[4], id)
  else
    redis.call('HSET', KEYS[5], school, id)
  end
elseif held == id then
  if school == '' then
    redis.call('DEL', KEYS[4])
  else
    redis.call('HDEL', KEYS[5], school)
  end
end
if ARGV[6] ~= '' and redis.call('HGET', KEYS[6], ARGV[6]) == id then
  redis.call('HDEL', KEYS[6], ARGV[6])
end
for i = 10, #ARGV, 2 do
  redis.call('HSET', KEYS[7], ARGV[i], ARGV[i + 1])
end
return 1
