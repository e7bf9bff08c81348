-- Notes that a write is about to be sent; whatever began before it and did not end was interrupted.
-- KEYS: the course's audit, its writes that began. ARGV: as above, the write, and its entries, a line each.
for _, entries in ipairs(redis.call('HVALS', KEYS[2])) do
  local interrupted = {}
  for entry in string.gmatch(entries, '[^\n]+') do
    interrupted[#interrupted + 1] = entry
  end
  keep_entries(KEYS[1], interrupted)
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
