-- The ground of every session script. KEYS[1] is the user's index, <prefix>s:{<user>}; its braces put all keys of a user
-- on one slot. Beside it lie <index>:<token digest>, a hash for each session, and three sorted sets of token digests:
-- <index>:end, <index>:start and <index>:use, scored by the moments in microseconds; and the hash <index>:notes of the
-- families of tokens that are being made or were let go a moment ago, by their codes.
local index = KEYS[1]
local by_end, by_start, by_use = index .. ':end', index .. ':start', index .. ':use'
local notes = index .. ':notes'

-- Lua writes large numbers with an exponent; Redis and we read digits
local function digits(number) return string.format('%.0f', number) end

local function key(token) return index .. ':' .. token end

local function forget(token)
  redis.call('ZREM', by_end, token)
  redis.call('ZREM', by_start, token)
  redis.call('ZREM', by_use, token)
  redis.call('DEL', key(token))
end

-- the moments of a session that is still going on at now; nothing otherwise
local function live(token, now)
  local found = redis.call('HMGET', key(token), 'started', 'seen', 'expires', 'idle')
  local started, seen, expires, idle = tonumber(found[1]), tonumber(found[2]), tonumber(found[3]), tonumber(found[4])
  if not (started and seen and expires and idle) then return nil end
  if math.min(expires, seen + idle) <= now then return nil end
  return started, seen, expires, idle
end

-- writes the session's places in the sets, and how long its keys are kept: a minute beyond its end, ten years at most
local function place(token, started, seen, ends, now)
  redis.call('ZADD', by_end, digits(ends), token)
  redis.call('ZADD', by_start, digits(started), token)
  redis.call('ZADD', by_use, digits(seen), token)
  local keep = math.min(math.max(math.ceil((ends - now) / 1000), 0) + 60000, 316224000000)
  redis.call('PEXPIRE', key(token), digits(keep))
  for _, set in ipairs({by_end, by_start, by_use}) do
    if redis.call('PTTL', set) < keep then redis.call('PEXPIRE', set, digits(keep)) end
  end
end

-- notes of a family that it is 'made', or 'gone', until then
local function note(code, state, till, now)
  redis.call('HSET', notes, code, state .. ':' .. digits(till))
  local keep = math.min(math.max(math.ceil((till - now) / 1000), 0) + 60000, 316224000000)
  if redis.call('PTTL', notes) < keep then redis.call('PEXPIRE', notes, digits(keep)) end
end
