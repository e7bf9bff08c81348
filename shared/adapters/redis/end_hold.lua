-- Keeps a run that was held until now; returns 1, or 0 if it is not the held one. KEYS: held run, the run, open runs.
-- ARGV: id, JSON, lifetime (ms), its rank among the open ones (empty: it is over).
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
if ARGV[4] ~= '' then
  redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
end
return 1
