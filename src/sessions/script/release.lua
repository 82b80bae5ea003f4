-- ARGV: code.
redis.call('HDEL', notes, ARGV[1])
return 1
