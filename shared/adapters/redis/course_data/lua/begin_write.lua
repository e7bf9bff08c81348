-- Notes that a write is about to be sent. What began before it and has no answer stays, until a sync reads what became of it.
-- KEYS: the course's audit, its writes that began. ARGV: as above, the write, and its entries, a line each.
redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
