-- Opens a run unless one of its kind has not begun yet; returns the id of the one or the other.
-- KEYS: open runs, all runs, runs that have not begun, the run. ARGV: id, kind, JSON, rank, opened (ms), lifetime (ms).
local waiting = redis.call('HGET', KEYS[3], ARGV[2])
if waiting and redis.call('ZSCORE', KEYS[1], waiting) then
  return waiting
end
redis.call('SET', KEYS[4], ARGV[3], 'PX', ARGV[6])
redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[1])
return ARGV[1]
