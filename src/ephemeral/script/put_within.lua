-- KEYS: entry, the set of its owner's entries by their ends, and that of all whose keys begin alike. ARGV: now, what is stored,
-- milliseconds to keep it, its end, its name at the end of its key, how many of the owner's may live, how many altogether (0: any
-- number), how many of the owner's may live where there are so many, the owner's name at the end of the key of its set, and whether
-- what is there stays (1). Those that end soonest make room; all share one slot.
local name, keep, most = ARGV[5], tonumber(ARGV[3]), tonumber(ARGV[6])
local altogether, owner = tonumber(ARGV[7]), ARGV[9]
if ARGV[10] == '1' then
  local found = redis.call('GET', KEYS[1])
  if found and (tonumber(string.sub(found, 1, 20)) or 0) > tonumber(ARGV[1]) then return 0 end
end
local stem = string.sub(KEYS[1], 1, #KEYS[1] - #name)
local owners = string.sub(KEYS[2], 1, #KEYS[2] - #owner)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
redis.call('ZREM', KEYS[2], name)
if altogether > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[1])
  redis.call('ZREM', KEYS[3], name .. owner)
  if redis.call('ZCARD', KEYS[3]) >= altogether then most = math.min(most, tonumber(ARGV[8])) end
end
local over = redis.call('ZCARD', KEYS[2]) + 1 - most
if over > 0 then
  for _, other in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do
    redis.call('DEL', stem .. other)
    redis.call('ZREM', KEYS[2], other)
    if altogether > 0 then redis.call('ZREM', KEYS[3], other .. owner) end
  end
end
if altogether > 0 then
  over = redis.call('ZCARD', KEYS[3]) + 1 - altogether
  if over > 0 then
    for _, both in ipairs(redis.call('ZRANGE', KEYS[3], 0, over - 1)) do
      local other = string.sub(both, 1, #name)
      redis.call('DEL', stem .. other)
      redis.call('ZREM', owners .. string.sub(both, #name + 1), other)
      redis.call('ZREM', KEYS[3], both)
    end
  end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4], name)
if redis.call('PTTL', KEYS[2]) < keep then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
if altogether > 0 then
  redis.call('ZADD', KEYS[3], ARGV[4], name .. owner)
  if redis.call('PTTL', KEYS[3]) < keep then redis.call('PEXPIRE', KEYS[3], ARGV[3]) end
end
return 1
