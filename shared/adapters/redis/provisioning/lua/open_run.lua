-- Opens a run unless one of its kind has not begun yet; returns the id of the one or the other. A run whose JSON is gone
-- cannot begin any more: it is forgotten.
-- KEYS: open runs, all runs, runs that have not begun, the run. ARGV: id, kind, JSON, rank, opened (ms), what the key of
-- a run begins with.
local waiting = redis.call('HGET', KEYS[3], ARGV[2])
if waiting and redis.call('ZSCORE', KEYS[1], waiting) then
  if redis.call('EXISTS', ARGV[6] .. waiting) == 1 then
    return waiting
  end
  redis.call('ZREM', KEYS[1], waiting)
end
redis.call('SET', KEYS[4], ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[1])
return ARGV[1]
