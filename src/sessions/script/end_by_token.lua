-- ARGV: token. Answers the id of the session that was ended.
local id = redis.call('HGET', key(ARGV[1]), 'id')
forget(ARGV[1])
return id
