-- Claims due courses, the longest due first, while fewer than a limit are claimed; returns their ids, and those given up.
-- A claim nobody took and a lease nobody renewed end here, and their courses are due at once; a course whose leases are
-- lost again and again takes its worker with it every time, and becomes a dead letter. Paused courses stay due.
-- Courses for which nobody waits have a quarter of the claims and leases to themselves and never more, so that neither a
-- pass over all courses nor a flood of changes holds the other up.
-- A member that can be no course is removed and kept as a dead letter.
-- While PowerSchool permits few requests, few courses sync at once: each ends before its deadline, and changes go on
-- folding into those that wait.
-- KEYS[7] what is paused, KEYS[8] all dead letters, KEYS[9] dead letters by cause, KEYS[10] the rate of PowerSchool,
-- KEYS[11] malformed messages. Own arguments: the limit, the patterns of a dead letter's id, of its key and of
-- a course's dead letters, the cause, how many leases may be lost, the configured interval between PowerSchool's requests
-- (ms).
local PAUSED, LETTERS, CAUSES, RATE, MALFORMED = unpack(KEYS, 7, 11)
local MAX_MALFORMED, MOST_MALFORMED_BYTES = 10000, 200
local LIMIT, LETTER_ID, LETTER, COURSE_LETTERS = tonumber(ARGV[FIRST_ARG]), unpack(ARGV, FIRST_ARG + 1, FIRST_ARG + 3)
local CAUSE, MOST_LOST = ARGV[FIRST_ARG + 4], tonumber(ARGV[FIRST_ARG + 5])
local INTERVAL = math.max(tonumber(ARGV[FIRST_ARG + 6]), tonumber(redis.call('HGET', RATE, 'interval') or '') or 0)
-- A request of each course that syncs waits no longer than this for the others', however slow PowerSchool is.
local LONGEST_ROUND, FEWEST_SYNCS = 10000, 4

local function give_up(course)
  local id, pending = string.format(LETTER_ID, course), pending_key(course)
  local keys = {string.format(LETTER, id), LETTERS, string.format(COURSE_LETTERS, course), CAUSES}
  local earlier = redis.call('HGET', pending, 'failed') or ''
  local fields = {'course', course, 'assignment', '', 'cause', CAUSE, 'answer', '', 'attempts', whole(MOST_LOST)}
  keep_letter(keys, id, whole(NOW), earlier, fields)
  redis.call('DEL', pending)
end

-- Removes members that can be no course from these; returns the others.
local function courses_in(queue, members)
  local courses = {}
  for _, member in ipairs(members) do
    if is_course(member) then
      courses[#courses + 1] = member
    else
      redis.call('ZREM', queue, member)
      redis.call('XADD', MALFORMED, 'MAXLEN', '~', MAX_MALFORMED, '*', 'stream', queue, 'reason', 'malformed_course_id',
        'f:member', string.sub(member, 1, MOST_MALFORMED_BYTES))
    end
  end
  return courses
end

local given_up = {}
local function end_lost_lease(course)
  local asked_again, pending = give_back(course), pending_key(course)
  local lost = asked_again and 0 or redis.call('HINCRBY', pending, 'lost', 1)
  if lost >= MOST_LOST then
    give_up(course)
    given_up[#given_up + 1] = course
    return
  end
  if not asked_again then
    redis.call('HSET', pending, 'failed', with_moment(redis.call('HGET', pending, 'failed'), NOW))
  end
  schedule_at_once(course)
end

for _, course in ipairs(courses_in(CLAIMED, redis.call('ZRANGEBYSCORE', CLAIMED, '-inf', whole(NOW)))) do
  redis.call('ZREM', CLAIMED, course)
  schedule_at_once(course)
end
for _, course in ipairs(courses_in(LEASED, redis.call('ZRANGEBYSCORE', LEASED, '-inf', whole(NOW)))) do
  end_lost_lease(course)
end

local claimed, free = {}, LIMIT - redis.call('ZCARD', CLAIMED)
if INTERVAL > 0 then
  local under_way = redis.call('ZCARD', CLAIMED) + redis.call('ZCARD', LEASED)
  free = math.min(free, math.max(FEWEST_SYNCS, math.floor(LONGEST_ROUND / INTERVAL)) - under_way)
end
if free <= 0 or redis.call('HEXISTS', PAUSED, 'passback') == 1 then
  return {claimed, given_up}
end

-- So many more are looked at as may be paused, so that no paused course stands in another one's way.
local paused = redis.call('HLEN', PAUSED)
local function claim(queue, room)
  local most = #claimed + room
  local first = redis.call('ZRANGEBYSCORE', queue, '-inf', whole(NOW), 'LIMIT', 0, whole(room + paused))
  for _, course in ipairs(courses_in(queue, first)) do
    if #claimed < most and redis.call('HEXISTS', PAUSED, 'course:' .. course) == 0 then
      redis.call('ZREM', queue, course)
      redis.call('ZADD', CLAIMED, whole(NOW + CLAIM_FOR), course)
      claimed[#claimed + 1] = course
    end
  end
end

local function yielding_under_way()
  local count = 0
  for queue, key_of in pairs({[CLAIMED] = pending_key, [LEASED] = taken_key}) do
    for _, course in ipairs(courses_in(queue, redis.call('ZRANGE', queue, 0, -1))) do
      count = count + (yields(key_of(course)) and 1 or 0)
    end
  end
  return count
end

if redis.call('ZCOUNT', YIELDING, '-inf', whole(NOW)) > 0 then
  local share = math.max(1, math.floor(LIMIT / 4)) - yielding_under_way()
  claim(YIELDING, math.max(0, math.min(free, share)))
end
claim(DUE, free - #claimed)
return {claimed, given_up}
