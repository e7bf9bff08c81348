-- Keeps a link with marks for the students whom scores were sent to: their places in the section's list, at whose end
-- new ones are added.
-- KEYS: links. ARGV: the link's field, the list's field, the link without marks, STUDENTS.DCID (comma-separated), what
-- follows the marks: their closing quotation mark at least.
local students, place_of = {}, {}
local function add(dcid)
  students[#students + 1] = dcid
  place_of[dcid] = #students - 1
end
for dcid in string.gmatch(redis.call('HGET', KEYS[1], ARGV[2]) or '', '%d+') do
  add(dcid)
end

local listed, digits = #students, {}
for dcid in string.gmatch(ARGV[4], '%d+') do
  if not place_of[dcid] then
    add(dcid)
  end
  local digit = math.floor(place_of[dcid] / 4) + 1
  digits[digit] = (digits[digit] or 0) + 2 ^ (place_of[dcid] % 4)
end
if #students > listed then
  redis.call('HSET', KEYS[1], ARGV[2], '[' .. table.concat(students, ',') .. ']')
end

local marks = {}
for digit = math.ceil(#students / 4), 1, -1 do
  marks[#marks + 1] = string.format('%x', digits[digit] or 0)
end
redis.call('HSET', KEYS[1], ARGV[1], string.sub(ARGV[3], 1, -2) .. ',"x' .. table.concat(marks) .. ARGV[5] .. ']')
