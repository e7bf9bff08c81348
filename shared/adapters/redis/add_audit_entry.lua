-- Keeps an entry; what is too old, or too much, is forgotten.
-- KEYS: the course's audit. ARGV: now (ms, or empty), the entry, its lifetime (ms), the most entries there may be.
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or (time[1] * 1000 + math.floor(time[2] / 1000))
local id = ARGV[1] == '' and '*' or ARGV[1] .. '-*'
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], id, 'entry', ARGV[2])
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', math.max(0, now - ARGV[3])))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
