-- Opens a dead letter, or updates it if it is open; returns its fields.
-- KEYS: letter, all letters, the course's letters, letters by cause. ARGV: now (ms, or empty), letter id, when
-- the work failed before (ms, comma-separated), then pairs of fields.
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(ARGV[1]) or (time[1] * 1000 + math.floor(time[2] / 1000)))
keep_letter(KEYS, ARGV[2], now, ARGV[3], {unpack(ARGV, 4)})
return redis.call('HGETALL', KEYS[1])
