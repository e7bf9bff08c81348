-- Saves a run unless the stored one has changed since it was read; returns 1, or 0 if the lease is lost, or -1 if the run
-- has changed: a person may have decided about it. Repeating a call changes nothing.
-- A run that is not over yet has no lifetime: it must not vanish while it waits.
-- KEYS: lease, the run, open runs, held run, held runs of schools, runs that have not begun, applied data sets, all runs.
-- ARGV: token (empty: a person decides about a held run, which takes no lease), id, JSON, the revision that was read,
-- lifetime (ms), state (open, held, over), kind (empty: it has not begun), school number (empty: the district's), opened
-- (ms), rank among the open runs, then pairs: data set, what was applied of it.
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local id, json, state, school = ARGV[2], ARGV[3], ARGV[6], ARGV[8]
local stored = redis.call('GET', KEYS[2])
if stored == json then
  return 1
end
-- Runs of older versions have no revision.
if stored and (cjson.decode(stored).revision or 0) ~= tonumber(ARGV[4]) then
  return -1
end
local held
if school == '' then
  held = redis.call('GET', KEYS[4])
else
  held = redis.call('HGET', KEYS[5], school)
end
if ARGV[1] == '' and held ~= id then
  return -1
end
if state == 'over' then
  redis.call('SET', KEYS[2], json, 'PX', ARGV[5])
else
  redis.call('SET', KEYS[2], json)
end
redis.call('ZADD', KEYS[8], 'NX', ARGV[9], id)
if state == 'open' then
  redis.call('ZADD', KEYS[3], ARGV[10], id)
else
  redis.call('ZREM', KEYS[3], id)
end
if state == 'held' then
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
if ARGV[7] ~= '' and redis.call('HGET', KEYS[6], ARGV[7]) == id then
  redis.call('HDEL', KEYS[6], ARGV[7])
end
for i = 11, #ARGV, 2 do
  redis.call('HSET', KEYS[7], ARGV[i], ARGV[i + 1])
end
return 1
