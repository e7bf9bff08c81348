-- Closes a dead letter.
-- KEYS: letter, all letters, the course's letters, letters by cause. ARGV: letter id.
local id, cause = ARGV[1], redis.call('HGET', KEYS[1], 'cause')
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], id)
if cause then
  redis.call('ZREM', KEYS[4], cause .. ' ' .. id)
end
redis.call('SREM', KEYS[3], id)
