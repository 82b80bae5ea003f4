-- ARGV: token, now, limit (empty: none), at limit, started, seen, ends, expires, idle, id, user, data.
-- Answers 'refused' and the number of live sessions, or 'admitted' and the ids of those that were ended for it.
local token, now = ARGV[1], tonumber(ARGV[2])
local started, seen, ends = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
-- the same admission, sent again, does not compete with itself
forget(token)
for _, past in ipairs(redis.call('ZRANGEBYSCORE', by_end, '-inf', digits(now))) do forget(past) end

local answer = {'admitted'}
local limit = tonumber(ARGV[3])
if limit then
  for _, known in ipairs(redis.call('ZRANGE', by_end, 0, -1)) do
    if redis.call('EXISTS', key(known)) == 0 then forget(known) end
  end
  local living = redis.call('ZCARD', by_end)
  local over = living - limit + 1
  if over > 0 then
    if ARGV[4] == 'refuse' or limit == 0 then return {'refused', digits(living)} end
    local order = by_start
    if ARGV[4] == 'end_least_recent' then order = by_use end
    for _, chosen in ipairs(redis.call('ZRANGE', order, 0, over - 1)) do
      answer[#answer + 1] = redis.call('HGET', key(chosen), 'id') or ''
      forget(chosen)
    end
  end
end

redis.call('HSET', key(token), 'token', token, 'started', ARGV[5], 'seen', ARGV[6], 'expires', ARGV[8],
  'idle', ARGV[9], 'id', ARGV[10], 'user', ARGV[11], 'data', ARGV[12])
place(token, started, seen, ends, now)
return answer
