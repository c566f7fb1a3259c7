#!lua
-- Sets a cell, if it is as expected. Its version stands before its value.
-- KEYS: state, cell (a hash for cells that last, a key of its own for those that pass), and for an epoch's cell
--       names
-- ARGV: 1 field or '', 2 seconds that it lives, 3 'any', 'nothing' or a version, 4 '1' for a value, 5 the value
local is_field = ARGV[1] ~= ''
local cell
if is_field then cell = redis.call('HGET', KEYS[2], ARGV[1]) else cell = redis.call('GET', KEYS[2]) end
local version = cell and string.match(cell, '^(%d+)|')
if ARGV[3] == 'nothing' and cell then return 0 end
if ARGV[3] ~= 'nothing' and ARGV[3] ~= 'any' and version ~= ARGV[3] then return 0 end
if ARGV[4] ~= '1' then
  if is_field then redis.call('HDEL', KEYS[2], ARGV[1]) else redis.call('DEL', KEYS[2]) end
  if KEYS[3] then redis.call('HDEL', KEYS[1], 'epoch') end
  return 1
end
local value = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'versions', 1)) .. '|' .. ARGV[5]
if is_field then
  redis.call('HSET', KEYS[2], ARGV[1], value)
else
  redis.call('SET', KEYS[2], value, 'EX', ARGV[2])
end

-- A new epoch begins behind its mark. Groups of the old one that came between the mark and this do not count: they
-- are not known as taken any more, or whoever sends them again would lose them.
local epoch, cut = string.match(ARGV[5], '^{"epoch":"(%d+)"'), string.match(ARGV[5], '"cut":(%d+)')
if KEYS[3] and epoch then redis.call('HSET', KEYS[1], 'epoch', epoch) end
if KEYS[3] and cut then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local ended = string.sub(all[i], 1, 2) == 'n:' and string.match(all[i + 1], '%d+$')
    if ended and tonumber(ended) > tonumber(cut) then redis.call('HDEL', KEYS[1], all[i]) end
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '(' .. cut, '+inf')
end
return 1
