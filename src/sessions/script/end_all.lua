-- Answers the ids of the sessions that were ended.
local answer = {}
for _, token in ipairs(redis.call('ZRANGE', by_end, 0, -1)) do
  local id = redis.call('HGET', key(token), 'id')
  if id then answer[#answer + 1] = id end
  forget(token)
end
return answer
