/** What the samples of `conf/accounts` say they do. */
import { expect } from "bun:test";
import { poll } from "../support/deadline.ts";
import type { Running } from "./samples.ts";

export const accountsChecks: Readonly<Record<string, (running: Running) => Promise<void>>> = {
  "accounts/streams.conf": async (running) => {
    const [plant, shop] = [await running.client({ user: "plant", pass: "plant" }), await running.client({ user: "shop", pass: "shop" })];
    await shop.exchange("SUB plant.> 1");
    await plant.exchange("SUB > 1", "UNSUB 1", "PUB measured.hall.heat 2", "21", "PUB alarms.fire 0", "", "PUB other 0", "");
    expect(await shop.exchange("PUB alarms.fire 0", "")).toEqual(["MSG plant.heat.hall 1 2", "21", "MSG plant.alarms.fire 1 0", ""]);
    await plant.exchange("SUB > 2");
    await shop.exchange("PUB measured.hall.heat 0", "");
    expect(await plant.exchange()).toEqual([]);
  },
  "accounts/monitoring.conf": async (running) => {
    const shop = await running.client({ user: "shop", pass: "shop" });
    const seen = await shop.exchange("SUB about.events.> 1", "SUB answer 2", "PUB about.us answer 0", "");
    const wait = (what: string, found: (line: string) => boolean): Promise<string> =>
      poll(2000, what, async () => {
        seen.push(...(await shop.exchange()));
        return seen.find(found);
      });
    const answer = await wait("the answer", (line) => line.startsWith("{") && line.includes("account_name"));
    expect(JSON.parse(answer)).toMatchObject({ data: { account_name: "SHOP", client_connections: 1 } });
    await running.client({ user: "plant", pass: "plant" });
    await running.client({ user: "shop", pass: "shop", name: "second" });
    await wait("the event", (line) => line.startsWith("MSG about.events.CONNECT 1 "));
    expect(seen.join("\n")).toContain('"name":"second"');
    expect(seen.join("\n")).not.toContain("PLANT");
  },
  "accounts/latency.conf": async (running) => {
    const stock = await running.client({ user: "stock", pass: "stock", headers: true });
    const shop = await running.client({ user: "shop", pass: "shop" });
    await stock.exchange("SUB count 1", "SUB metrics.> 2");
    await shop.exchange("SUB answer 1", "PUB count answer 0", "");
    const [request = ""] = await stock.exchange();
    await stock.exchange(`PUB ${request.split(" ")[3]} 2`, "42");
    const told = await poll(2000, "the metric", async () => (await stock.exchange()).find((line) => line.startsWith("{")));
    expect(JSON.parse(told)).toMatchObject({ type: "io.nats.server.metric.v1.service_latency", status: 200, requestor: { acc: "SHOP" }, responder: { user: "stock" } });
  },
  "accounts/traces.conf": async (running) => {
    const stock = await running.client({ user: "stock", pass: "stock", headers: true });
    const shop = await running.client({ user: "shop", pass: "shop", headers: true });
    // Only looked at, so that nobody else gets anything.
    const header = ["NATS/1.0", "Nats-Trace-Dest: told", "Nats-Trace-Only: true", "", ""];
    const size = header.join("\r\n").length;
    const eventsOf = async (client: typeof stock, subject: string): Promise<unknown[]> => {
      const seen = await client.exchange(`HPUB ${subject} ${size} ${size}`, ...header);
      const told = await poll(2000, "the trace", async () => [...seen.splice(0), ...(await client.exchange())].find((line) => line.startsWith("{")));
      return (JSON.parse(told) as { events: { type: string; acc?: string }[] }).events.map(({ type, acc }) => [type, acc]);
    };
    await shop.exchange("SUB moved.> 1", "SUB told 2");
    await stock.exchange("SUB count 1", "SUB told 2");
    expect(await eventsOf(stock, "moved.nails")).toEqual([["in", "STOCK"], ["se", "SHOP"], ["eg", "SHOP"]]);
    expect(await eventsOf(shop, "count")).toEqual([["in", "SHOP"], ["si", "STOCK"], ["eg", "STOCK"]]);
    expect(await shop.exchange()).toEqual([]);
  },
  "accounts/services.conf": async (running) => {
    const stock = await running.client({ user: "stock", pass: "stock", headers: true });
    const [shop, guest] = [await running.client({ user: "shop", pass: "shop" }), await running.client({ user: "guest", pass: "guest" })];
    await stock.exchange("SUB > 1");
    await shop.exchange("SUB answers.* 1", "PUB count.nails answers.1 0", "");
    const request = await stock.exchange();
    expect(request[0]).toMatch(/^HMSG stock\.count\.nails 1 _R_\.\w{6}\.\w{6} \d+ \d+$/);
    expect(request[2]).toContain('"acc":"SHOP","user":"shop"');
    await stock.exchange("UNSUB 1", `PUB ${request[0].split(" ")[3]} 2`, "42");
    expect(await shop.exchange()).toEqual(["MSG answers.1 1 2", "42"]);

    await stock.exchange("SUB > 2");
    await guest.exchange("PUB stock.count.nails 0", "", "PUB stock.list 0", "", "PUB orders.GUEST.new 0", "");
    const asked = await stock.exchange();
    expect(asked.filter((line) => line.startsWith("HMSG")).length).toBe(1);
    expect(asked[2]).toMatch(/^Nats-Request-Info: \{"acc":"GUEST","rtt":\d+\}$/);
    await shop.exchange("PUB order 0", "", "PUB stock.list answers.2 0", "");
    expect((await stock.exchange()).filter((line) => line.startsWith("HMSG")).map((line) => line.split(" ")[1])).toEqual(["orders.SHOP.new", "stock.list"]);
  },
};
