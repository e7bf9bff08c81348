-- Closes a dead letter. KEYS: letter, all letters, the course's letters. ARGV: letter id.
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SREM', KEYS[3], ARGV[1])
