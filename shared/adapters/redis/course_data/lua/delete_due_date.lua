-- Forgets a course's due date, unless a sync has replaced it meanwhile. KEYS: due dates. ARGV: course id, date (ms).
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '') == tonumber(ARGV[2]) then
  redis.call('ZREM', KEYS[1], ARGV[1])
end
