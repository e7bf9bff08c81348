-- Keeps a run as its worker left it; returns 1, or 0 if the lease is lost.
-- KEYS: lease, the run, open runs, held run, runs that have not begun, applied data sets.
-- ARGV: token, id, JSON, lifetime (ms), whereabouts (open, held, over), kind (empty: it has not begun), data set (or
-- empty), what was applied of it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local id, where = ARGV[2], ARGV[5]
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
if where ~= 'open' then
  redis.call('ZREM', KEYS[3], id)
end
if where == 'held' then
  redis.call('SET', KEYS[4], id)
elseif redis.call('GET', KEYS[4]) == id then
  redis.call('DEL', KEYS[4])
end
if ARGV[6] ~= '' and redis.call('HGET', KEYS[5], ARGV[6]) == id then
  redis.call('HDEL', KEYS[5], ARGV[6])
end
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[6], ARGV[7], ARGV[8])
end
return 1
