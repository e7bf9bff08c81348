-- Takes back an attempt that was right, and forgets the wrong ones of this account from this sender.
--
-- KEYS: as for `count_failed_login.lua`. ARGV: how long the sender is known for this account (ms).
redis.call('DEL', KEYS[1])
for i = 2, 3 do
  if tonumber(redis.call('GET', KEYS[i]) or '0') > 0 then
    redis.call('INCRBY', KEYS[i], -1)
  end
end
redis.call('SET', KEYS[4], 1, 'PX', ARGV[1])
