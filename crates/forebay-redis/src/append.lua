-- Appends a group, once. A full server refuses the first command that writes, and nothing is half done. If that
-- command gives up something old, it has made room, and the group is taken.
-- Numbers stay below 2^53, which Lua counts exactly.
-- KEYS: log, state, numbers, nodes, names, lasting cells
-- ARGV: 1 node, 2 number, 3 epoch, 4 name or '', 5 '1' for a mark, 6 offsets, 7 body, 8 kept ms, 9 kept bytes,
--       10 names that are remembered, 11 nodes that are
local function text(number) return string.format('%.0f', number) end

local known = redis.call('HGET', KEYS[3], ARGV[1])
if known then
  local number, last = string.match(known, '^(%d+) (%d+)$')
  if tonumber(number) >= tonumber(ARGV[2]) then return last end
end
if ARGV[4] ~= '' then
  local last = redis.call('ZSCORE', KEYS[5], ARGV[4])
  if last then return text(tonumber(last)) end
end
if ARGV[5] ~= '1' then
  local cell = redis.call('HGET', KEYS[6], 'epoch')
  local begins = '{"epoch":"' .. ARGV[3] .. '"'
  -- Its version stands before the value.
  local at = cell and string.find(cell, '|', 1, true)
  if at and string.sub(cell, at + 1, at + #begins) ~= begins then return 'other epoch' end
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local bytes = tonumber(redis.call('HGET', KEYS[2], 'bytes') or 0) + #ARGV[7]

-- Two for one, so that the log gets shorter where it has become too long.
for _ = 1, 2 do
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if not oldest then break end
  local fields = {}
  for i = 1, #oldest[2], 2 do fields[oldest[2][i]] = oldest[2][i + 1] end
  local is_old = tonumber(fields.t) + tonumber(ARGV[8]) < now
  if not is_old and bytes <= tonumber(ARGV[9]) then break end
  redis.call('XDEL', KEYS[1], oldest[1])
  bytes = bytes - #fields.b
  redis.call('HINCRBY', KEYS[2], 'bytes', -#fields.b)
  redis.call('HSET', KEYS[2], 'trimmed', string.match(oldest[1], '^%d+'))
end

local last = redis.call('HINCRBY', KEYS[2], 'head', ARGV[6])
redis.call('HINCRBY', KEYS[2], 'bytes', #ARGV[7])
redis.call('XADD', KEYS[1], text(last) .. '-0', 'n', ARGV[1], 'k', ARGV[2], 'e', ARGV[3], 'o', ARGV[6],
  't', text(now), 'b', ARGV[7])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2] .. ' ' .. text(last))
redis.call('ZADD', KEYS[4], text(last), ARGV[1])
if redis.call('ZCARD', KEYS[4]) > tonumber(ARGV[11]) then
  local oldest = redis.call('ZPOPMIN', KEYS[4])
  redis.call('HDEL', KEYS[3], oldest[1])
end
if ARGV[4] ~= '' then
  redis.call('ZADD', KEYS[5], text(last), ARGV[4])
  redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -1 - tonumber(ARGV[10]))
end

return text(last)
