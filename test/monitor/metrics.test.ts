/** /metrics is well-formed and has the series that dashboards made for the exporter ask for; the root page keeps its links. */
import { expect, test } from "bun:test";
import { metrics } from "../../src/monitor/metrics.ts";
import { MetricsText } from "../../src/monitor/metricstext.ts";
import { rootPage } from "../../src/monitor/root.ts";
import { Simulation } from "../sim/simulation.ts";

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\["\\n])*",?)*)\} (-?[0-9.e+-]+)$/;

test("every series is typed, and the well-known ones are there with the server's name", async () => {
  const world = new Simulation();
  const server = world.start("server_name: n1");
  const client = await server.client();
  client.send("SUB a 1\r\n");
  client.publish("a", "hello");
  await world.settle();
  const values = new Map<string, number>();
  let typed = "";
  for (const line of metrics(server.server).trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) (?:gauge|counter|histogram)$/.exec(line);
    if (type !== null) typed = type[1];
    if (line.startsWith("#")) continue;
    const sample = SAMPLE.exec(line);
    expect(sample, line).not.toBeNull();
    if (sample === null) continue;
    expect(sample[1].replace(/_(?:bucket|sum|count)$/, "")).toBe(typed.replace(/_(?:bucket|sum|count)$/, ""));
    expect(sample[2]).toStartWith('server_id="n1"');
    if (!values.has(sample[1])) values.set(sample[1], Number(sample[3]));
  }
  const asked = ["varz_cpu", "varz_mem", "varz_in_bytes", "varz_out_bytes", "varz_out_msgs", "varz_slow_consumers", "varz_total_connections", "varz_start", "connz_pending_bytes", "subsz_num_subscriptions", "routez_num_routes", "healthz_status", "accstatz_current_connections"];
  for (const name of asked) expect([...values.keys()]).toContain(`gnatsd_${name}`);
  expect(values.get("gnatsd_varz_connections")).toBe(1);
  expect(values.get("gnatsd_varz_in_msgs")).toBe(1);
  expect(values.get("gnatsd_connz_out_bytes")).toBe(5);
  expect(values.get("gnatsd_healthz_status_value")).toBe(1);
  expect(values.get("jetstream_server_jetstream_disabled")).toBe(1);
});

test("labels are escaped", () => {
  const text = new MetricsText({ server_id: 'a"b\\c\nd' }, {});
  text.gauge("x", 1);
  expect(text.toString()).toBe('# HELP x x\n# TYPE x gauge\nx{server_id="a\\"b\\\\c\\nd"} 1\n');
});

test("the root page keeps its links in their order below the base path, and a name stays text", () => {
  const server = new Simulation().start('server_name: "<script>"\nhttp_base_path: mon');
  const page = rootPage(server.server);
  const links = [...page.matchAll(/<a href=\.([^>]+)>([^<]+)</g)].map((match) => `${match[1]} ${match[2]}`);
  expect(links).toEqual(["/varz General", "/jsz JetStream", "/connz Connections", "/accountz Accounts", "/accstatz Account Stats", "/subsz Subscriptions", "/routez Routes", "/leafz LeafNodes", "/gatewayz Gateways", "/raftz Raft Groups", "/healthz Health Probe", "/debug/vars Expvar"].map((link) => `/mon${link}`));
  expect(page.match(/<script>/g)).toHaveLength(1);
});
