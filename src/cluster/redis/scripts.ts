import { createHash } from 'node:crypto';
import { MAX_NUMBER, MAX_TOKEN_LEAD_MS, MAX_VERSIONS, SLICE_MEMBERS, TAG_BYTES } from '../fleet-store.ts';

/** A script that runs in Redis: atomic, and one round trip. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

function script(body: string): Script {
  const source = `${COMMON}\n${body.trim()}\n`;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/** Numbers are written out in full: Lua's own form of a large one loses digits. */
const COMMON = `
local MAX_LEAD, MAX_NUMBER = ${MAX_TOKEN_LEAD_MS}, ${MAX_NUMBER}
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function text(number) return string.format('%.0f', number) end
local function stored(key, field)
  local number = tonumber(redis.call('HGET', key, field) or '') or 0
  if number >= MAX_NUMBER then return 0 end
  return number
end
local function leaseAt(key, at, floor)
  local owner, token = redis.call('HGET', key, 'o'), tonumber(redis.call('HGET', key, 't') or '')
  if not owner or not token or token < floor or token > at + MAX_LEAD then return nil end
  return owner, token
end
local function clamp(key, ttl)
  local left = redis.call('PTTL', key)
  if left > ttl then
    redis.call('PEXPIRE', key, ttl)
    return ttl
  end
  return left
end`.trim();

/**
 * KEYS record, members, declaration, versions.
 * ARGV id, revision, record, ttl, declaration, its ttl, own version, then version and time by turns.
 */
export const JOIN: Script = script(`
local at = now()
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[6])
local known = {}
local function put(version, seen)
  known[version] = seen
  redis.call('HSET', KEYS[4], version, text(seen))
end
local listed = redis.call('HGETALL', KEYS[4])
for i = 1, #listed, 2 do known[listed[i]] = tonumber(listed[i + 1]) or 0 end
for i = 8, #ARGV, 2 do
  local seen = tonumber(ARGV[i + 1])
  if seen <= at + MAX_LEAD and seen > (known[ARGV[i]] or -1) then put(ARGV[i], seen) end
end
if not known[ARGV[7]] then
  local highest = 0
  for _, seen in pairs(known) do highest = math.max(highest, seen) end
  put(ARGV[7], math.max(at, highest + 1))
end
local names = {}
for version in pairs(known) do names[#names + 1] = version end
table.sort(names, function(a, b)
  if known[a] == known[b] then return a < b end
  return known[a] < known[b]
end)
for i = 1, #names - ${MAX_VERSIONS} do
  redis.call('HDEL', KEYS[4], names[i])
  known[names[i]] = nil
end
local answer = {}
for version, seen in pairs(known) do
  answer[#answer + 1] = version
  answer[#answer + 1] = text(seen)
end
return answer`);

/**
 * KEYS members, record, declaration, lease, overrides, plan.
 * ARGV prefix of records, ttl, declaration's ttl, owner or '', token, lease's ttl, documents' ttl, slice, prefix of pages.
 *
 * It begins with renewals, which Redis carries out even when it is out of memory: a SET here would fail, and all members
 * would expire together.
 */
export const BEAT: Script = script(`
local at = now()
local here = redis.call('PEXPIRE', KEYS[2], ARGV[2])
local declared = redis.call('PEXPIRE', KEYS[3], ARGV[3])
clamp(KEYS[4], tonumber(ARGV[6]))
local owner, token = leaseAt(KEYS[4], at, 0)
if owner and owner == ARGV[4] and token == tonumber(ARGV[5]) then
  redis.call('PEXPIRE', KEYS[4], ARGV[6])
  redis.call('PEXPIRE', KEYS[5], ARGV[7])
  redis.call('PEXPIRE', KEYS[6], ARGV[7])
  for page = 1, (tonumber(redis.call('HGET', KEYS[6], 'p') or '') or 1) - 1 do
    redis.call('PEXPIRE', ARGV[9] .. page, ARGV[7])
  end
end
local listed = redis.call('HGETALL', KEYS[1])
local ids, revisions = {}, {}
for i = 1, #listed, 2 do
  ids[#ids + 1] = listed[i]
  revisions[listed[i]] = listed[i + 1]
end
table.sort(ids)
local first, last = 1, #ids
if #ids > ${SLICE_MEMBERS} then
  first = (tonumber(ARGV[8]) % math.ceil(#ids / ${SLICE_MEMBERS})) * ${SLICE_MEMBERS} + 1
  last = math.min(#ids, first + ${SLICE_MEMBERS} - 1)
end
local g, tag = stored(KEYS[5], 'g'), ''
if g > 0 then tag = string.sub(redis.call('HGET', KEYS[5], 'v') or '', 1, ${TAG_BYTES}) end
local n, planToken = stored(KEYS[6], 'n'), 0
if n > 0 then planToken = tonumber(redis.call('HGET', KEYS[6], 't') or '') or 0 end
local answer = { here * declared, #ids, owner or '', text(token or 0), text(g), tag, text(n), text(planToken) }
for i = first, last do
  answer[#answer + 1] = ids[i]
  answer[#answer + 1] = revisions[ids[i]]
  answer[#answer + 1] = clamp(ARGV[1] .. ids[i], tonumber(ARGV[2]))
end
return answer`);

/** KEYS lease, plan. ARGV owner, ttl or 0, floor. */
export const LEASE: Script = script(`
local at, floor = now(), tonumber(ARGV[3])
local owner, token = leaseAt(KEYS[1], at, floor)
if ARGV[2] == '0' then
  if owner == ARGV[1] then
    redis.call('DEL', KEYS[1])
    owner = nil
  end
elseif owner then
  if owner == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
else
  local _, last = leaseAt(KEYS[1], at, 0)
  local planned = 0
  if stored(KEYS[2], 'n') > 0 then planned = tonumber(redis.call('HGET', KEYS[2], 't') or '') or 0 end
  if planned > at + MAX_LEAD then planned = 0 end
  owner, token = ARGV[1], math.max(math.max(last or 0, planned) + 1, at, floor + 1)
  redis.call('HSET', KEYS[1], 'o', owner, 't', text(token))
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
if not owner then return {} end
return { owner, text(token) }`);

/** KEYS overrides. ARGV expected, generation, value, ttl, channel of hints. */
export const OVERRIDE: Script = script(`
local expected, generation = tonumber(ARGV[1]), tonumber(ARGV[2])
local g = stored(KEYS[1], 'g')
if g > 0 and g == generation then
  local value = redis.call('HGET', KEYS[1], 'v')
  if value == ARGV[3] then return 1 end
  if expected ~= generation or ARGV[3] < value then return 0 end
elseif g > 0 and (g ~= expected or generation < expected) then
  return 0
end
redis.call('HSET', KEYS[1], 'g', text(generation), 'v', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PUBLISH', ARGV[5], 'override ' .. text(generation))
return 1`);

/** KEYS lease, plan. ARGV owner, token, expected, number, ttl, channel of hints, prefix of pages, then the pages. */
export const PLAN: Script = script(`
local token, expected, number = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local owner, held = leaseAt(KEYS[1], now(), 0)
if owner ~= ARGV[1] or held ~= token then return 0 end
local pages = #ARGV - 7
local n = stored(KEYS[2], 'n')
if n > 0 then
  if n == number and tonumber(redis.call('HGET', KEYS[2], 't') or '') == token then
    local same = redis.call('HGET', KEYS[2], 'v') == ARGV[8] and redis.call('HGET', KEYS[2], 'p') == text(pages)
    for page = 1, pages - 1 do same = same and redis.call('GET', ARGV[7] .. page) == ARGV[8 + page] end
    if same then return 1 end
    return 0
  end
  if n ~= expected or number <= expected then return 0 end
end
for page = 1, pages - 1 do redis.call('SET', ARGV[7] .. page, ARGV[8 + page], 'PX', ARGV[5]) end
redis.call('HSET', KEYS[2], 'n', text(number), 't', text(token), 'v', ARGV[8], 'p', text(pages))
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('PUBLISH', ARGV[6], 'plan ' .. text(number))
return 1`);

/**
 * KEYS overrides, plan, versions. ARGV '1' for each of them that is wanted, prefix of pages, then the keys of records and
 * declarations.
 */
export const READ: Script = script(`
local answer = { '0', false, '0', {}, {} }
if ARGV[1] == '1' then
  local g = stored(KEYS[1], 'g')
  answer[1] = text(g)
  if g > 0 then answer[2] = redis.call('HGET', KEYS[1], 'v') end
end
if ARGV[2] == '1' then
  local n = stored(KEYS[2], 'n')
  answer[3] = text(n)
  if n > 0 then
    local pages = { redis.call('HGET', KEYS[2], 'v') or '' }
    for page = 1, (tonumber(redis.call('HGET', KEYS[2], 'p') or '') or 1) - 1 do
      pages[page + 1] = redis.call('GET', ARGV[4] .. page) or ''
    end
    answer[4] = pages
  end
end
if ARGV[3] == '1' then answer[5] = redis.call('HGETALL', KEYS[3]) end
for i = 5, #ARGV do answer[#answer + 1] = redis.call('GET', ARGV[i]) end
return answer`);

/** KEYS record, members. ARGV id, '1' to remove it only if it is dead. */
export const LEAVE: Script = script(`
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HDEL', KEYS[2], ARGV[1])
return 1`);

/** KEYS a key, whose node is asked. Answers the policy of evicting keys; empty if the user of Redis must not ask. */
export const POLICY: Script = script(`
local info = redis.pcall('INFO', 'memory')
if type(info) ~= 'string' then return '' end
return string.match(info, 'maxmemory_policy:([%w-]+)') or ''`);
