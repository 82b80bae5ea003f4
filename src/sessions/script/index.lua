-- The ground of every session script. KEYS[1] is the user's index, <prefix>s:{<user>}; its braces put all keys of a user
-- on one slot. Beside it lie <index>:<token digest>, a hash for each session; the sorted set <index>:end of their token
-- digests, scored by their ends in microseconds; and the hash <index>:notes of the families of tokens that are being made or
-- were let go a moment ago, by their codes.
local index = KEYS[1]
local by_end = index .. ':end'
local notes = index .. ':notes'

-- Lua writes large numbers with an exponent; Redis and we read digits
local function digits(number) return string.format('%.0f', number) end

local function key(token) return index .. ':' .. token end

local function forget(token)
  redis.call('ZREM', by_end, token)
  redis.call('DEL', key(token))
end

-- everything that is kept of a session
local function fields(token)
  return redis.call('HMGET', key(token), 'token', 'user', 'id', 'started', 'seen', 'expires', 'idle', 'data')
end

-- the last use, the absolute end and the idle timeout of a session that is still going on at now; nothing otherwise
local function live(token, now)
  local found = redis.call('HMGET', key(token), 'seen', 'expires', 'idle')
  local seen, expires, idle = tonumber(found[1]), tonumber(found[2]), tonumber(found[3])
  if not (seen and expires and idle) then return nil end
  if math.min(expires, seen + idle) <= now then return nil end
  return seen, expires, idle
end

-- writes the session's place in the set, and how long its keys are kept: a minute beyond its end, ten years at most
local function place(token, ends, now)
  redis.call('ZADD', by_end, digits(ends), token)
  local keep = math.min(math.max(math.ceil((ends - now) / 1000), 0) + 60000, 316224000000)
  redis.call('PEXPIRE', key(token), digits(keep))
  if redis.call('PTTL', by_end) < keep then redis.call('PEXPIRE', by_end, digits(keep)) end
end

-- notes of a family that it is 'made', or 'gone', until then
local function note(code, state, till, now)
  redis.call('HSET', notes, code, state .. ':' .. digits(till))
  local keep = math.min(math.max(math.ceil((till - now) / 1000), 0) + 60000, 316224000000)
  if redis.call('PTTL', notes) < keep then redis.call('PEXPIRE', notes, digits(keep)) end
end
