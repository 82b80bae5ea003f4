-- ARGV: old token, new token, now.
local old, new, now = ARGV[1], ARGV[2], tonumber(ARGV[3])
local seen, expires, idle = live(old, now)
if not seen or redis.call('EXISTS', key(new)) == 1 then return 0 end
redis.call('RENAME', key(old), key(new))
forget(old)
seen = math.max(seen, now)
redis.call('HSET', key(new), 'token', new, 'seen', digits(seen))
place(new, math.min(expires, seen + idle), now)
return 1
