-- Keeps a stream's history bounded and its group free of consumers that are gone; loses nothing that is still to be read.
-- KEYS[1] stream; ARGV[1] group, ARGV[2] history kept (ms), ARGV[3] history kept (entries), ARGV[4] consumers' memory (ms).
local stream, group = KEYS[1], ARGV[1]

local function named(flat)
  local values = {}
  for i = 1, #flat, 2 do
    values[flat[i]] = flat[i + 1]
  end
  return values
end

-- In one step with the look at what it has pending: deleting a consumer would drop that.
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local consumer = named(flat)
  if consumer.pending == 0 and consumer.idle > tonumber(ARGV[4]) then
    redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer.name)
  end
end

local function first_needed()
  local oldest_pending = redis.call('XPENDING', stream, group)[2]
  if oldest_pending then
    return oldest_pending
  end
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local values = named(flat)
    if values.name == group then
      return values['last-delivered-id']
    end
  end
end

local function earlier(one, other)
  local one_ms, one_seq = string.match(one, '^(%d+)-(%d+)$')
  local other_ms, other_seq = string.match(other, '^(%d+)-(%d+)$')
  one_ms, other_ms = tonumber(one_ms), tonumber(other_ms)
  if one_ms == other_ms then
    return tonumber(one_seq) < tonumber(other_seq) and one or other
  end
  return one_ms < other_ms and one or other
end

local needed = first_needed()
local now = redis.call('TIME')[1] * 1000
local too_old = string.format('%.0f-0', now - ARGV[2])
redis.call('XTRIM', stream, 'MINID', '~', earlier(needed, too_old))
local too_many = redis.call('XLEN', stream) - ARGV[3]
if too_many > 0 then
  redis.call('XTRIM', stream, 'MINID', '~', needed, 'LIMIT', too_many)
end
