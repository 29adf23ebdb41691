-- What wrk asks of a broker; KIND says which path, ENTITIES how many there are.
local kind = os.getenv("KIND")
local entities = tonumber(os.getenv("ENTITIES"))
local root = "/ngsi-ld/v1/entities"
local json = { ["Content-Type"] = "application/json" }
local dataset = "urn:ngsi-ld:Dataset:backup"
local at = "2026-11-01T04:00:00Z"
local count = 0
local fresh = os.time() % 100000 * 10000000

local function known()
  count = (count + 7919) % entities
  return string.format("urn:ngsi-ld:Meter:%08d", count)
end

local function measured(value, unit)
  return string.format('{"type":"Property","value":%s,"unitCode":"%s","observedAt":"%s"}', value, unit, at)
end

local function twice(value, unit)
  local other = string.format('{"type":"Property","value":%s,"unitCode":"%s","observedAt":"%s","datasetId":"%s"}',
    value, unit, at, dataset)
  return "[" .. measured(value, unit) .. "," .. other .. "]"
end

local note = string.rep("installed and checked by the district office, ", 13)

local function entity()
  fresh = fresh + 1
  return string.format('{"id":"urn:ngsi-ld:Meter:new%d","type":"Meter","power":%s,"voltage":%s,"temperature":%s,'
    .. '"status":{"type":"Property","value":"s1"},'
    .. '"name":{"type":"Property","value":"meter number %d of the northern district"},'
    .. '"note":{"type":"Property","value":"%s"},'
    .. '"maker":{"type":"Relationship","object":"urn:ngsi-ld:Maker:7"},'
    .. '"location":{"type":"GeoProperty","value":{"type":"Point","coordinates":[114.3,30.6]}}}',
    fresh, twice("7.25", "KWT"), twice("220.5", "VLT"), measured("21.5", "CEL"), fresh, note)
end

local function near()
  count = count + 1
  local east = 109 + count * 7919 % 600000 / 100000
  local north = 29.5 + count * 104729 % 300000 / 100000
  return string.format("%s?type=Meter&limit=20&q=power%%3E500&georel=near%%3BmaxDistance==2000&geometry=Point"
    .. "&coordinates=%%5B%.5f,%.5f%%5D", root, east, north)
end

local asked = {
  read = function() return wrk.format("GET", root .. "/" .. known()) end,
  query = function() return wrk.format("GET", root .. "?type=Meter&limit=20") end,
  search = function() return wrk.format("GET", near()) end,
  create = function() return wrk.format("POST", root, json, entity()) end,
  update = function()
    local body = '{"temperature":' .. measured(count % 40, "CEL") .. "}"
    return wrk.format("PATCH", root .. "/" .. known() .. "/attrs", json, body)
  end,
}

request = asked[kind]

done = function(_, latency)
  for _, p in pairs({ 50, 95, 99 }) do
    io.write(string.format("  %d%% %.2fms\n", p, latency:percentile(p) / 1000))
  end
end
