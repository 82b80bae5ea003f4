-- KEYS: counter. ARGV: when it was spent, in microseconds.
-- Takes one from the part of then, or of later where the spender's clock was behind. A counter that holds nothing goes.
local words, given = {}, false
for last, count in string.gmatch(redis.call('GET', KEYS[1]) or '', '(%d+):(%d+)') do
  local left = tonumber(count)
  if not given and tonumber(last) > tonumber(ARGV[1]) then
    left, given = left - 1, true
  end
  if left > 0 then words[#words + 1] = last .. ':' .. string.format('%.0f', left) end
end
if given and #words == 0 then
  redis.call('DEL', KEYS[1])
elseif given then
  redis.call('SET', KEYS[1], table.concat(words, ' '), 'KEEPTTL')
end
return 1
