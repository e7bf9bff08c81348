-- Closes a dead letter.
-- KEYS: letter, all letters, the course's letters, problems, letters by cause. ARGV: letter id, course id.
local id, cause = ARGV[1], redis.call('HGET', KEYS[1], 'cause')
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], id)
if cause then
  redis.call('ZREM', KEYS[5], cause .. ' ' .. id)
end
if redis.call('SREM', KEYS[3], id) == 1 then
  rank(KEYS[4], ARGV[2] or '', -OF_A_LETTER)
end
