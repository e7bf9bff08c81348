-- Gives the caller the next free slot of a shared pace, first come first served (GCRA with a burst of one).
-- KEYS[1] when the next slot is free (ms); ARGV[1] interval (ms); ARGV[2] longest wait (ms).
-- Returns how long to wait for the slot (ms); above the longest wait no slot is taken.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slot = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local wait = slot - now
if wait <= tonumber(ARGV[2]) then
  redis.call('SET', KEYS[1], string.format('%.0f', slot + ARGV[1]), 'PX', string.format('%.0f', wait + ARGV[1]))
end
return wait
