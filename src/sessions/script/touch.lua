-- ARGV: token, now.
local token, now = ARGV[1], tonumber(ARGV[2])
local seen, expires, idle = live(token, now)
if not seen then return 0 end
seen = math.max(seen, now)
redis.call('HSET', key(token), 'seen', digits(seen))
place(token, math.min(expires, seen + idle), now)
return 1
