-- Puts a kept message back where it came from and removes it, in one step; returns 1, or 0 if it is not there any more or
-- cannot be put back.
-- KEYS: kept messages, then our streams. ARGV: entry id, what the keys of Celery's queues begin with, the queues' names.
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then
  return 0
end

local kept, fields = {}, {}
for i = 1, #entry[2], 2 do
  local name, value = entry[2][i], entry[2][i + 1]
  kept[name] = value
  if string.sub(name, 1, 2) == 'f:' then
    fields[#fields + 1] = string.sub(name, 3)
    fields[#fields + 1] = value
  end
end

local function is_one_of(list, first)
  for i = first, #list do
    if list[i] == kept.stream then
      return true
    end
  end
end

if kept.cut then
  return 0
elseif is_one_of(KEYS, 2) and #fields > 0 then
  redis.call('XADD', kept.stream, '*', unpack(fields))
elseif is_one_of(ARGV, 3) and kept.payload then
  redis.call('LPUSH', ARGV[2] .. kept.stream, kept.payload)
else
  return 0
end
return redis.call('XDEL', KEYS[1], ARGV[1])
