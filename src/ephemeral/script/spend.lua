-- KEYS: counter. ARGV: now, the length of a part, the period (all in microseconds), the budget.
-- Answers whether it was counted, and how much was spent in the part of a period that ends at a moment: END:SPENT, oldest first.
local now, part, period, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local ends, counts, held = {}, {}, 0
for last, count in string.gmatch(redis.call('GET', KEYS[1]) or '', '(%d+):(%d+)') do
  if tonumber(last) + period > now then
    ends[#ends + 1], counts[#counts + 1] = tonumber(last), tonumber(count)
    held = held + tonumber(count)
  end
end
local counted = '0'
if held < budget then
  local last = (math.floor(now / part) + 1) * part
  if #ends > 0 and ends[#ends] >= last then
    counts[#counts] = counts[#counts] + 1
  else
    ends[#ends + 1], counts[#counts + 1] = last, 1
  end
  counted = '1'
end
local words = {}
for at = 1, #ends do words[at] = string.format('%.0f:%.0f', ends[at], counts[at]) end
local tally = table.concat(words, ' ')
if counted == '1' then
  -- after that the counter says nothing that its absence does not
  local keep = math.ceil((ends[#ends] + period - now) / 1000) + 60000
  redis.call('SET', KEYS[1], tally, 'PX', string.format('%.0f', keep))
end
return {counted, tally}
