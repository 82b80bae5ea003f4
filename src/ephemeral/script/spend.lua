-- KEYS: counter. ARGV: now, step, whole budget, all in microseconds.
-- Answers whether it was counted, and the moment at which the budget is whole again.
local now, step, whole = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local restored = math.max(tonumber(redis.call('GET', KEYS[1]) or '') or now, now)
if restored + step - now > whole then
  return {'0', string.format('%.0f', restored)}
end
restored = restored + step
-- after that the counter says nothing that its absence does not
local keep = math.ceil((restored - now) / 1000) + 60000
redis.call('SET', KEYS[1], string.format('%.0f', restored), 'PX', string.format('%.0f', keep))
return {'1', string.format('%.0f', restored)}
