-- Takes a group, once, or says why not. Numbers stay below 2^53, which Lua counts exactly.
--
-- Given the body, the script appends it itself. A long body costs many times more in Lua than in the server's own XADD.
-- So it passes by: the script gives the offset and opens the log for the XADD that follows in the same transaction. A
-- log that is closed has the last id 1-0, and an XADD of 0-* fails. One that is open has the id before the offset. Whoever
-- is refused finds it closed, and so does a transaction whose script could not run.
--
-- A full server refuses a transaction with an XADD in it, but a script only at the first command that adds something: what
-- gives up something old before has made room, and the group is taken.
-- KEYS: log, state, marks, names
-- ARGV: 1 node, 2 number, 3 epoch, 4 name or '', 5 '1' for a mark, 6 offsets, 7 bytes of the body, 8 kept ms,
--       9 kept bytes, 10 names that are remembered, 11 nodes that are, 12 the body or ''
local log, state, marks, names = unpack(KEYS)
local node = 'n:' .. ARGV[1]
local function text(number) return string.format('%d', number) end

local function refuse(answer)
  -- Somebody may have opened it by hand.
  redis.pcall('XSETID', log, '1-0')
  return answer
end

local found = redis.call('HMGET', state, node, 'epoch', 'head', 'bytes', 'at', 'newest', 'oldest', 'gone')
local known, epoch, newest, oldest = found[1], found[2], found[6], found[7]
local head, before = tonumber(found[3] or 0), tonumber(found[4] or 0)
local at, gone = tonumber(found[5] or 0), tonumber(found[8] or 0)
if known then
  local number, last = string.match(known, '^(%d+) (%d+)$')
  if tonumber(number) >= tonumber(ARGV[2]) then return refuse(last) end
end
if ARGV[4] ~= '' then
  local last = redis.call('ZSCORE', names, ARGV[4])
  if last then return refuse(text(tonumber(last))) end
end
if ARGV[5] ~= '1' and epoch and epoch ~= ARGV[3] then return refuse('other epoch') end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local bytes = before + ARGV[7]
local keep, keep_bytes = tonumber(ARGV[8]), tonumber(ARGV[9])

-- A mark says: what is up to this offset is so old at the least, and all that ever came until there had so many bytes.
-- To learn that from the oldest group would copy its body. There is a mark for each 256th of what is kept, so some 512.
-- The state has a copy of the oldest one.
local fresh
if head > 0 then
  local marked_at, marked_bytes = 0, 0
  if newest then marked_at, marked_bytes = string.match(newest, '^(%d+) %d+ (%d+)$') end
  if (at - marked_at) * 256 >= keep or (before - marked_bytes) * 256 >= keep_bytes then
    fresh = text(at) .. ' ' .. text(head) .. ' ' .. text(before)
  end
end

-- Several for one, so that the log gets shorter where it has become too long.
local floor
for _ = 1, 4 do
  local mark = oldest or fresh
  if not mark then break end
  local mark_at, mark_head, mark_bytes = string.match(mark, '^(%d+) (%d+) (%d+)$')
  if mark_at + keep >= now and bytes - gone <= keep_bytes then break end
  floor, gone = mark_head, tonumber(mark_bytes)
  if oldest then
    redis.call('LPOP', marks)
    oldest = redis.call('LINDEX', marks, 0)
  else
    fresh = nil
  end
end
if floor then
  redis.call('XTRIM', log, 'MINID', '=', '0-' .. text(floor + 1))
  redis.call('HSET', state, 'trimmed', floor, 'gone', text(gone))
  if oldest then redis.call('HSET', state, 'oldest', oldest) else redis.call('HDEL', state, 'oldest') end
end

local last = text(head + ARGV[6])
local open = '0-' .. text(head + ARGV[6] - 1)
if redis.pcall('XSETID', log, open).err then
  -- There is none.
  redis.call('XADD', log, '0-1', 'log', '')
  redis.call('XDEL', log, '0-1')
  redis.call('XSETID', log, open)
end
if ARGV[12] ~= '' then
  local entry = { 'n', ARGV[1], 'k', ARGV[2], 'e', ARGV[3], 'o', ARGV[6], 'b', ARGV[12] }
  local added = redis.pcall('XADD', log, '0-' .. last, unpack(entry))
  redis.call('XSETID', log, '1-0')
  if type(added) == 'table' then return added end
end
redis.call('HSET', state, 'head', last, 'bytes', text(bytes), 'at', text(now), node, ARGV[2] .. ' ' .. last)

if fresh then
  redis.call('RPUSH', marks, fresh)
  redis.call('HSET', state, 'newest', fresh)
  if not oldest then redis.call('HSET', state, 'oldest', fresh) end
end
if ARGV[4] ~= '' then
  redis.call('ZADD', names, last, ARGV[4])
  redis.call('ZREMRANGEBYRANK', names, 0, -1 - ARGV[10])
end
-- Nodes come seldom: a process is one.
if not known and redis.call('HLEN', state) > ARGV[11] + 16 then
  local all = redis.call('HGETALL', state)
  local forgotten, ended
  for i = 1, #all, 2 do
    local its = string.sub(all[i], 1, 2) == 'n:' and tonumber(string.match(all[i + 1], '%d+$'))
    if its and (not ended or its < ended) then forgotten, ended = all[i], its end
  end
  redis.call('HDEL', state, forgotten)
end
return last
