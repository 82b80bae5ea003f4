-- ARGV: 'session', 'lost' (a session that is put back) or 'family', its token or code, now, limit (empty: none), at limit, how many families, how many ended
-- ones, how many that go first; of a session started, seen, ends, expires, idle, id, user, data; of a family until and the session it is made in; from the
-- 17th on the families (code, started, seen), the codes of ended ones, those that go first ('s:' and an id, 'f:' and a code).
-- Answers 'refused' and the number of live logins; or 'admitted', the codes of the families that have to end for it, and the fields
-- of the sessions that have.
local kind, name, now, limit, mode = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local families, first_ended = tonumber(ARGV[6]), 17 + 3 * tonumber(ARGV[6])
local first_first = first_ended + tonumber(ARGV[7])
if kind == 'lost' then
  if live(name, now) then return {'admitted', {}, {}} end
  -- the same session as it was at another time, under another token
  for _, token in ipairs(redis.call('ZRANGE', by_end, 0, -1)) do
    if redis.call('HGET', key(token), 'id') == ARGV[14] then forget(token) end
  end
  kind = 'session'
end
-- the same admission, sent again, does not compete with itself
if kind == 'session' then forget(name) end
for _, past in ipairs(redis.call('ZRANGEBYSCORE', by_end, '-inf', digits(now))) do forget(past) end

-- what is noted of families
for at = first_ended, first_first - 1 do redis.call('HDEL', notes, ARGV[at]) end
local noted, all = {}, redis.call('HGETALL', notes)
for at = 1, #all, 2 do
  local state, till = string.match(all[at + 1], '^(%a+):(%d+)$')
  if till and tonumber(till) > now then noted[all[at]] = state else redis.call('HDEL', notes, all[at]) end
end

local families_going, sessions_going, living = {}, {}, 0
for _, known in ipairs(redis.call('ZRANGE', by_end, 0, -1)) do
  if redis.call('EXISTS', key(known)) == 1 then living = living + 1 else forget(known) end
end
local contenders = {}
for number = 1, families do
  local at = 14 + 3 * number
  local code = ARGV[at]
  if kind == 'family' and code == name then
    -- it does not compete with itself
  elseif noted[code] ~= 'gone' then
    living = living + 1
    contenders[#contenders + 1] =
      {login = 'f:' .. code, name = code, started = tonumber(ARGV[at + 1]), seen = tonumber(ARGV[at + 2])}
    noted[code] = nil
  end
end
for code, state in pairs(noted) do
  if not (kind == 'family' and code == name) then
    -- what is being made has its place, and nobody can end it yet; what was let go may not be known as such in SQL yet
    if state == 'made' then living = living + 1 else families_going[#families_going + 1] = code end
  end
end

local over = 0
if limit then over = living - limit + 1 end
if over > 0 then
  if limit == 0 then return {'refused', {digits(living)}, {}} end
  local tokens = {}
  for _, token in ipairs(redis.call('ZRANGE', by_end, 0, -1)) do
    local found = redis.call('HMGET', key(token), 'id', 'started', 'seen')
    local id = found[1] or ''
    tokens['s:' .. id] = token
    contenders[#contenders + 1] =
      {login = 's:' .. id, name = id, started = tonumber(found[2]) or 0, seen = tonumber(found[3]) or 0}
  end
  -- nobody goes for a family whose session was let go: it can't be made any more
  if kind == 'family' and ARGV[10] ~= '' and not tokens['s:' .. ARGV[10]] then return {'refused', {digits(living)}, {}} end
  local there, going, chosen = {}, {}, {}
  for _, other in ipairs(contenders) do there[other.login] = true end
  local function go(login)
    if #going < over and there[login] and not chosen[login] then
      chosen[login] = true
      going[#going + 1] = login
    end
  end
  for at = first_first, first_first + tonumber(ARGV[8]) - 1 do go(ARGV[at]) end
  if mode ~= 'refuse' then
    local by = 'started'
    if mode == 'end_least_recent' then by = 'seen' end
    table.sort(contenders, function(a, b)
      if a[by] ~= b[by] then return a[by] < b[by] end
      return a.name < b.name
    end)
    for _, other in ipairs(contenders) do go(other.login) end
  end
  if #going < over then return {'refused', {digits(living)}, {}} end
  for _, login in ipairs(going) do
    if tokens[login] then
      sessions_going[#sessions_going + 1] = fields(tokens[login])
      forget(tokens[login])
    else
      local code = string.sub(login, 3)
      families_going[#families_going + 1] = code
      note(code, 'gone', now + 60000000, now)
    end
  end
end

if kind == 'session' then
  redis.call('HSET', key(name), 'token', name, 'started', ARGV[9], 'seen', ARGV[10], 'expires', ARGV[12],
    'idle', ARGV[13], 'id', ARGV[14], 'user', ARGV[15], 'data', ARGV[16])
  place(name, tonumber(ARGV[11]), now)
else
  note(name, 'made', tonumber(ARGV[9]), now)
end
return {'admitted', families_going, sessions_going}
