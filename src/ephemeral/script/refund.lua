-- KEYS: counter. ARGV: step in microseconds.
local restored = tonumber(redis.call('GET', KEYS[1]) or '')
if restored then
  redis.call('SET', KEYS[1], string.format('%.0f', restored - tonumber(ARGV[1])), 'KEEPTTL')
end
return 1
