-- KEYS: entry, and the set of its owner's entries by their ends. ARGV: now, what is stored, milliseconds to keep it, its end,
-- its name at the end of its key, how many of the owner's may live. Those that end soonest make room; all share one slot.
local name, keep, most = ARGV[5], tonumber(ARGV[3]), tonumber(ARGV[6])
local stem = string.sub(KEYS[1], 1, #KEYS[1] - #name)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
redis.call('ZREM', KEYS[2], name)
local over = redis.call('ZCARD', KEYS[2]) + 1 - most
if over > 0 then
  for _, other in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do
    redis.call('DEL', stem .. other)
    redis.call('ZREM', KEYS[2], other)
  end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4], name)
if redis.call('PTTL', KEYS[2]) < keep then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
return 1
