-- ARGV: token, now, data.
if not live(ARGV[1], tonumber(ARGV[2])) then return 0 end
redis.call('HSET', key(ARGV[1]), 'data', ARGV[3])
return 1
