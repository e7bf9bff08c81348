-- Opens a dead letter, or updates it if it is open. `keys`: letter, all letters, the course's letters, letters by
-- cause. `earlier` are the moments (ms) at which this work failed before, `fields` pairs of what a person needs.
local function keep_letter(keys, id, now, earlier, fields)
  local letter, times = keys[1], redis.call('HGET', keys[1], 'times')
  local cause_before = redis.call('HGET', letter, 'cause')
  for moment in string.gmatch(earlier, '%d+') do
    times = with_moment(times, moment)
  end
  redis.call('HSET', letter, 'last', now, 'times', with_moment(times, now), unpack(fields))
  redis.call('HSETNX', letter, 'first', string.match(earlier, '%d+') or now)
  redis.call('ZADD', keys[2], 'NX', now, id)
  if cause_before then
    redis.call('ZREM', keys[4], cause_before .. ' ' .. id)
  end
  redis.call('ZADD', keys[4], 0, redis.call('HGET', letter, 'cause') .. ' ' .. id)
  redis.call('SADD', keys[3], id)
end
