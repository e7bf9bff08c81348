-- Puts changes on their streams; returns for each an empty text, or why Redis did not take it.
-- KEYS: the streams. ARGV: the changes as JSON, each a list of its stream's place among them and its fields.
local answers = {}
for i, change in ipairs(cjson.decode(ARGV[1])) do
  local answer = redis.pcall('XADD', KEYS[change[1]], '*', unpack(change, 2))
  answers[i] = type(answer) == 'table' and answer.err or ''
end
return answers
