-- Replaces a course's summary, counts its assignments anew, and notes the words it is found by. An empty summary forgets
-- the course. `keys`: summaries, words, standings, problems.
local NOTHING = '{"assignments":{},"words":[]}'

local function replace_summary(keys, course, document, attention)
  local summaries, words, standings, problems = unpack(keys)
  local before = cjson.decode(redis.call('HGET', summaries, course) or NOTHING)
  local summary = cjson.decode(document == '' and NOTHING or document)
  for standing, count in pairs(before.assignments) do
    redis.call('HINCRBY', standings, standing, string.format('%d', -count))
  end
  for standing, count in pairs(summary.assignments) do
    redis.call('HINCRBY', standings, standing, string.format('%d', count))
  end
  for _, word in ipairs(before.words) do
    redis.call('ZREM', words, word .. ' ' .. course)
  end
  for _, word in ipairs(summary.words) do
    redis.call('ZADD', words, 0, word .. ' ' .. course)
  end
  if document == '' then
    redis.call('HDEL', summaries, course)
  else
    redis.call('HSET', summaries, course, document)
  end
  rank(problems, course, attention - (tonumber(redis.call('ZSCORE', problems, course) or '0') % OF_A_LETTER))
end
