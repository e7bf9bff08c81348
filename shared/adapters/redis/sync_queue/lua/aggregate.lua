-- Folds a batch of messages into change sets and acknowledges it, in one step.
-- KEYS[7] last event, KEYS[8] courses, KEYS[9] unknown changes, KEYS[10] malformed messages,
-- KEYS[11] when each course was last heard of.
-- Own arguments: the batch as JSON (see streams.py), the consumer group.
local LAST_EVENT, COURSES, UNKNOWN, MALFORMED, HEARD = unpack(KEYS, 7, 11)
local MAX_MALFORMED, MOST_MALFORMED_FIELDS, MOST_MALFORMED_BYTES = 10000, 200, 65536
local batch, group = cjson.decode(ARGV[FIRST_ARG]), ARGV[FIRST_ARG + 1]

-- A message is copied as it came, up to a bound: its bytes need not be text, and it may be of any size.
local function keep_malformed(stream, id)
  local message = redis.call('XRANGE', stream, id, id)[1]
  local fields, kept, bytes = message and message[2] or {}, {}, 0
  for i = 1, math.min(#fields, MOST_MALFORMED_FIELDS), 2 do
    bytes = bytes + #fields[i] + #fields[i + 1]
    if bytes <= MOST_MALFORMED_BYTES then
      kept[#kept + 1] = 'f:' .. fields[i]
      kept[#kept + 1] = fields[i + 1]
    end
  end
  if #kept < #fields then
    kept[#kept + 1] = 'cut'
    kept[#kept + 1] = '1'
  end
  redis.call('XADD', MALFORMED, 'MAXLEN', '~', MAX_MALFORMED, '*', 'stream', stream, 'id', id, unpack(kept))
end

for _, change in ipairs(batch.courses) do
  local pending = pending_key(change.course)
  if FIRST_CHANGE and is_at_rest(change.course) then
    redis.call('HSET', pending, 'at_rest', '1')
  end
  widen(pending, change.first, change.last, change.count)
  note_event(pending, change.first)
  mark_all(pending, change.marks)
  schedule(change.course)
  redis.call('ZADD', COURSES, 'NX', 0, change.course)
  redis.call('HSET', HEARD, change.course, whole(math.max(change.last, number_in(HEARD, change.course) or 0)))
end
for _, unknown in ipairs(batch.unknown) do
  redis.call('ZADD', UNKNOWN, 'GT', whole(math.min(unknown[2], NOW)), unknown[1])
end
for _, message in ipairs(batch.malformed) do
  keep_malformed(message[1], message[2])
end

local last_event = math.max(batch.last, tonumber(redis.call('GET', LAST_EVENT) or '') or 0)
redis.call('SET', LAST_EVENT, whole(last_event))
-- Lua unpacks no more than some thousands of values at once.
local MOST_UNPACKED = 1000
for _, read in ipairs(batch.read) do
  local stream, ids = read[1], read[2]
  for i = 1, #ids, MOST_UNPACKED do
    redis.call('XACK', stream, group, unpack(ids, i, math.min(i + MOST_UNPACKED - 1, #ids)))
  end
end
