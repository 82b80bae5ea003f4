-- ARGV: id. Answers how many were ended.
local ended = 0
for _, token in ipairs(redis.call('ZRANGE', by_end, 0, -1)) do
  if redis.call('HGET', key(token), 'id') == ARGV[1] then
    forget(token)
    ended = ended + 1
  end
end
return ended
