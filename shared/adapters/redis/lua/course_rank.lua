-- A course's place among those with problems: a million for each of its dead letters, one for each assignment. What
-- belongs to no course (an empty id) has none.
local OF_A_LETTER = 1000000

local function rank(problems, course, by)
  if course ~= '' and by ~= 0 and tonumber(redis.call('ZINCRBY', problems, by, course)) <= 0 then
    redis.call('ZREM', problems, course)
  end
end
