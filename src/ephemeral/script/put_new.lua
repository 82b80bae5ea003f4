-- KEYS: entry. ARGV: now, what is stored (its end in 20 digits, then the value), milliseconds to keep it.
local found = redis.call('GET', KEYS[1])
if found and (tonumber(string.sub(found, 1, 20)) or 0) > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
