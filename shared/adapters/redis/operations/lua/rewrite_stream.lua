-- Replaces or drops entries of a stream and leaves the others, their ids and the stream's lifetime as they are.
-- KEYS: the stream, a name that is free. ARGV: pairs of an entry's id and the new value of its `entry` (empty: dropped).
local changed = {}
for i = 1, #ARGV, 2 do
  changed[ARGV[i]] = ARGV[i + 1]
end
local lifetime = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[2])
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
  local id, fields = entry[1], entry[2]
  if changed[id] == nil then
    redis.call('XADD', KEYS[2], id, unpack(fields))
  elseif changed[id] ~= '' then
    redis.call('XADD', KEYS[2], id, 'entry', changed[id])
  end
end
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('RENAME', KEYS[2], KEYS[1])
  if lifetime > 0 then
    redis.call('PEXPIRE', KEYS[1], lifetime)
  end
end
