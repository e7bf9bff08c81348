-- A bounded list of moments (ms) as text: the newest ones, the oldest first.
local MOST_MOMENTS = 20

local function with_moment(list, moment)
  local moments, moment = {}, string.format('%.0f', moment)
  for each in string.gmatch(list or '', '%d+') do
    moments[#moments + 1] = each
  end
  if moments[#moments] ~= moment then
    moments[#moments + 1] = moment
  end
  return table.concat(moments, ',', math.max(1, #moments - MOST_MOMENTS + 1))
end
