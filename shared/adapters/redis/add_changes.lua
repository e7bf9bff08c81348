-- Puts changes on their streams; returns for each an empty text, or why Redis did not take it.
-- KEYS: the streams. ARGV: for each change its stream's place among them, how many values follow, and these: its fields.
local answers, at = {}, 1
while at < #ARGV do
  local last = at + 1 + ARGV[at + 1]
  local answer = redis.pcall('XADD', KEYS[tonumber(ARGV[at])], '*', unpack(ARGV, at + 2, last))
  answers[#answers + 1] = type(answer) == 'table' and answer.err or ''
  at = last + 1
end
return answers
