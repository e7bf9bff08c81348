-- What every script about courses begins with: the time, the window, and how a course moves between the sorted sets.
-- A course is in at most one of DUE, YIELDING, CLAIMED and LEASED; it has a pending hash where something waits, and a
-- taken hash exactly while it is leased.
-- KEYS[1] due, KEYS[2] yielding, KEYS[3] claimed, KEYS[4] leased, KEYS[5] fence, KEYS[6] synced; a script's own keys come
-- behind them. ARGV[1] to ARGV[8] as below, a script's own from FIRST_ARG.
local DUE, YIELDING, CLAIMED, LEASED, FENCE, SYNCED = unpack(KEYS, 1, 6)
local GIVEN_NOW, PENDING, TAKEN = ARGV[1], ARGV[2], ARGV[3]
local QUIET_PERIOD, MAX_WAIT = tonumber(ARGV[4]), tonumber(ARGV[5])
local CLAIM_FOR, LEASE_FOR = tonumber(ARGV[6]), tonumber(ARGV[7])
-- How long the first change of a course at rest is gathered; nil: it waits for the window as any other.
local FIRST_CHANGE = tonumber(ARGV[8])
local FIRST_ARG = 9
-- A course is at rest once it was not synced for so many quiet periods: changes that come one by one, each a little
-- later than the quiet period, are one burst, and are not to cost a sync each.
local REST_QUIET_PERIODS = 4
local MOST_FIELDS = 512

local function server_time()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local NOW = tonumber(GIVEN_NOW) or server_time()

-- Lua would write a time as 1.7e+12.
local function whole(number)
  return string.format('%.0f', number)
end

local function pending_key(course)
  return string.format(PENDING, course)
end

local function taken_key(course)
  return string.format(TAKEN, course)
end

local function number_in(hash, field)
  return tonumber(redis.call('HGET', hash, field) or '')
end

-- Returns fields of a change set. A key of another type is renamed first, so that it stops no other course. What it
-- stood for is unknown then: the sync reads everything.
local function fields_of(hash, ...)
  local values = redis.pcall('HMGET', hash, ...)
  if values.err then
    redis.call('RENAME', hash, hash .. ':set-aside')
    redis.call('HSET', hash, 'k:assignment', '1', 'k:unnamed', '1')
    values = redis.call('HMGET', hash, ...)
  end
  return values
end

-- Says whether a member of a sorted set can be a course: a local Canvas id, as in streams.py.
local function is_course(member)
  return #member <= 13 and string.match(member, '^%d+$') ~= nil
end

-- Counts changes into a change set; times ahead of the server's clock are ignored, and so is what is no number.
local function widen(hash, first, last, count)
  local known = fields_of(hash, 'first', 'last', 'count')
  first = math.min(first, NOW, tonumber(known[1] or '') or first)
  last = math.max(math.min(last, NOW), tonumber(known[2] or '') or 0)
  count = count + (tonumber(known[3] or '') or 0)
  redis.call('HSET', hash, 'first', whole(first), 'last', whole(last), 'count', whole(count))
end

-- Notes when the first event came: a change set may be older, by a pass over all courses that made the course due.
local function note_event(hash, at)
  redis.call('HSET', hash, 'event', whole(math.min(at, NOW, number_in(hash, 'event') or at)))
end

-- Notes a cause (c:...), a kind (k:...), a person (p:...) or an assignment (a:...). Over the bound no assignment is named
-- any more, so that the sync looks at all of them (streams.py).
local function mark(hash, field)
  if redis.call('HLEN', hash) < MOST_FIELDS or string.sub(field, 1, 2) ~= 'a:' then
    redis.call('HSET', hash, field, '1')
  elseif redis.call('HEXISTS', hash, field) == 0 then
    redis.call('HSET', hash, 'k:unnamed', '1')
  end
end

local function mark_all(hash, fields)
  if redis.call('HLEN', hash) + #fields > MOST_FIELDS then
    for _, field in ipairs(fields) do
      mark(hash, field)
    end
    return
  end
  local marks = {}
  for i, field in ipairs(fields) do
    marks[2 * i - 1], marks[2 * i] = field, '1'
  end
  redis.call('HSET', hash, unpack(marks))
end

local function due_at(pending)
  local fields = fields_of(pending, 'first', 'last', 'now', 'not_before', 'at_rest')
  local first, last, at_once, not_before, at_rest = unpack(fields)
  first, last = tonumber(first or '') or NOW, tonumber(last or '') or NOW
  local window = math.min(last + QUIET_PERIOD, first + MAX_WAIT)
  if at_rest and FIRST_CHANGE then
    window = math.min(window, first + FIRST_CHANGE)
  end
  if at_once then
    return math.min(window, tonumber(at_once) or NOW)
  end
  return math.max(window, tonumber(not_before or '') or 0)
end

-- Nobody waits for a course that nothing but a pass over all courses made due: it lets the others go first.
local function yields(change_set)
  local somebody = fields_of(change_set, 'c:event', 'c:webhook', 'c:person', 'c:due_date')
  for i = 1, 4 do
    if somebody[i] then
      return false
    end
  end
  return redis.call('HEXISTS', change_set, 'c:reconcile') == 1 or redis.call('HEXISTS', change_set, 'c:schedule') == 1
end

-- Makes a course with a pending change set wait for its turn, unless it has it already.
local function schedule(course)
  if redis.call('ZSCORE', CLAIMED, course) or redis.call('ZSCORE', LEASED, course) then
    return
  end
  local pending = pending_key(course)
  local queue, other = DUE, YIELDING
  if yields(pending) then
    queue, other = YIELDING, DUE
  end
  redis.call('ZREM', other, course)
  redis.call('ZADD', queue, whole(due_at(pending)), course)
end

local function schedule_at_once(course)
  local pending = pending_key(course)
  if redis.call('EXISTS', pending) == 0 then
    widen(pending, NOW, NOW, 0)
  end
  redis.call('HSETNX', pending, 'now', whole(NOW))
  schedule(course)
end

-- A lease is held by the last token given for the course, until its time is up.
local function holds_lease(course, token)
  local ends = redis.call('ZSCORE', LEASED, course)
  return ends and tonumber(ends) > NOW and redis.call('HGET', taken_key(course), 'token') == token
end

local function end_lease(course)
  redis.call('ZREM', LEASED, course)
  redis.call('DEL', taken_key(course))
  redis.call('ZADD', SYNCED, whole(NOW), course)
  redis.call('ZREMRANGEBYSCORE', SYNCED, '-inf', whole(NOW - REST_QUIET_PERIODS * QUIET_PERIOD))
end

-- Nothing of it waits or is being synced, and nothing was lately.
local function is_at_rest(course)
  local synced = tonumber(redis.call('ZSCORE', SYNCED, course) or '-inf')
  return redis.call('EXISTS', pending_key(course), taken_key(course)) == 0
    and NOW - synced >= REST_QUIET_PERIODS * QUIET_PERIOD
end

-- Ends the lease and puts what was taken back to what came meanwhile. Returns whether a person asked meanwhile: that
-- forgets the attempts, and any backoff.
local function give_back(course)
  local pending = pending_key(course)
  local asked_again = fields_of(pending, 'c:person')[1] ~= false
  fields_of(taken_key(course), 'first')
  local fields, taken = redis.call('HGETALL', taken_key(course)), {}
  for i = 1, #fields, 2 do
    taken[fields[i]] = fields[i + 1]
  end
  widen(pending, tonumber(taken.first or '') or NOW, tonumber(taken.last or '') or NOW, tonumber(taken.count or '') or 0)
  if tonumber(taken.event or '') then
    note_event(pending, tonumber(taken.event))
  end
  for field in pairs(taken) do
    if string.match(field, '^[ackp]:') then
      mark(pending, field)
    end
  end
  if not asked_again then
    for _, field in ipairs({'attempts', 'failed', 'lost'}) do
      if taken[field] then
        redis.call('HSET', pending, field, taken[field])
      end
    end
  end
  end_lease(course)
  return asked_again
end
