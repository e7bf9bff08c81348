-- Keeps what a write came to, which is nothing where nothing was written.
-- KEYS: the course's audit, its writes that began. ARGV: as above, the write, and its entries.
redis.call('HDEL', KEYS[2], ARGV[4])
if ARGV[5] then
  keep_entries(KEYS[1], {unpack(ARGV, 5)})
end
