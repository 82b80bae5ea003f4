-- ARGV: token, now.
local token, now = ARGV[1], tonumber(ARGV[2])
local started, seen, expires, idle = live(token, now)
if not started then return 0 end
seen = math.max(seen, now)
redis.call('HSET', key(token), 'seen', digits(seen))
place(token, started, seen, math.min(expires, seen + idle), now)
return 1
