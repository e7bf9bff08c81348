-- Keeps entries, each a JSON text; what is too old, or too much, is forgotten.
-- ARGV: now (ms, or empty), the entries' lifetime (ms), the most entries there may be.
local function keep_entries(audit, entries)
  local time = redis.call('TIME')
  local now = tonumber(ARGV[1]) or (time[1] * 1000 + math.floor(time[2] / 1000))
  local id = ARGV[1] == '' and '*' or ARGV[1] .. '-*'
  for _, entry in ipairs(entries) do
    redis.call('XADD', audit, 'MAXLEN', '~', ARGV[3], id, 'entry', entry)
  end
  redis.call('XTRIM', audit, 'MINID', string.format('%.0f', math.max(0, now - ARGV[2])))
  redis.call('PEXPIRE', audit, ARGV[2])
end
