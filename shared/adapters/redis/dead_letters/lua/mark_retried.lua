-- Notes on an open dead letter that a person retried it; returns 1, or 0 if it is not open any more.
-- KEYS[1] letter; ARGV[1] now (ms, or empty).
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(ARGV[1]) or (time[1] * 1000 + math.floor(time[2] / 1000)))
redis.call('HSET', KEYS[1], 'retried', now)
return 1
