-- ARGV: now. Answers token and fields of each live session.
local answer, now = {}, tonumber(ARGV[1])
for _, token in ipairs(redis.call('ZRANGE', by_end, 0, -1)) do
  if live(token, now) then
    answer[#answer + 1] = {token, fields(token)}
  end
end
return answer
