-- KEYS: entry. ARGV: now, the new end in 20 digits, milliseconds to keep it.
local found = redis.call('GET', KEYS[1])
if not found or (tonumber(string.sub(found, 1, 20)) or 0) <= tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2] .. string.sub(found, 21), 'PX', ARGV[3])
return 1
