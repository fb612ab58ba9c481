-- Each request is a different event, as long as Tableau's.
local seed = tonumber(os.getenv("BENCH_SEED") or "0")
local thread = 0
function setup(t) t:set("id", thread); thread = thread + 1 end
local n = 0
request = function()
  n = n + 1
  local luid = string.format("%08x-0000-4000-8000-%04x%08x", seed, id, n)
  local body = string.format(
    '{"resource":"WORKBOOK","event_type":"WorkbookUpdated","resource_name":"Sales %d",' ..
    '"site_luid":"6b7a4a9c-1111-4222-8333-444455556666","resource_luid":"%s","created_at":"2026-01-31T09:30:00Z",' ..
    '"text":"Event WorkbookUpdated for resource Sales %d: %s on site 6b7a4a9c-1111-4222-8333-444455556666 posted"}',
    n, luid, n, luid)
  return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, body)
end
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency.max,
    summary.errors.status + summary.errors.timeout + summary.errors.connect + summary.errors.read + summary.errors.write))
end
