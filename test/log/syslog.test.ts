/** The log at syslog daemons: the frames, and the real roads to a listener on this machine. */
import { afterEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { join } from "node:path";
import { LogHub } from "../../src/log/index.ts";
import type { LogSettings } from "../../src/log/index.ts";
import { parseSyslogAddress } from "../../src/log/syslog.ts";
import { SystemClock } from "../../src/platform/bun/clock.ts";
import { SystemSyslog } from "../../src/platform/bun/syslog.ts";
import type { Clock } from "../../src/platform/clock.ts";
import type { SyslogRoad, SyslogRoads } from "../../src/platform/syslog.ts";
import { poll } from "../support/deadline.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { FakeClock, FakeDisk, FakeSystem } from "./fakes.ts";

const plain: LogSettings = {
  debug: true,
  trace: true,
  logtime: true,
  logtimeUtc: false,
  logFile: "",
  logSizeLimitBytes: 0,
  logMaxFiles: 0,
  syslog: false,
  remoteSyslog: "",
};

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function hubOn(syslog: SyslogRoads, clock: Clock = new FakeClock()): LogHub {
  const hub = new LogHub({ clock, disk: new FakeDisk(), system: new FakeSystem(), syslog });
  open.push(hub);
  return hub;
}

/** A stream daemon that keeps what it hears. */
async function streamDaemon(listenOn: string | number): Promise<{ readonly server: Server; readonly sockets: Socket[]; heard(): string }> {
  const sockets: Socket[] = [];
  let text = "";
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("data", (bytes) => (text += bytes.toString()));
  });
  if (typeof listenOn === "string") server.listen(listenOn);
  else server.listen(listenOn, "127.0.0.1");
  await once(server, "listening");
  open.push({ close: () => sockets.forEach((socket) => socket.destroy()) }, server);
  return { server, sockets, heard: () => text };
}

/** Polls until `get` has all of `parts`. */
function hears(get: () => string, ...parts: string[]): Promise<true> {
  return poll(5000, `hear ${JSON.stringify(parts)}`, () => (parts.every((part) => get().includes(part)) ? true : undefined));
}

describe("frames", () => {
  /** Roads that keep what is sent on them; `broken` makes sends and dials fail. */
  class FakeRoads implements SyslogRoads {
    sent: string[] = [];
    dialled: string[] = [];
    broken = false;
    #road: SyslogRoad = {
      send: (message) => {
        if (this.broken) return false;
        this.sent.push(Buffer.from(message).toString());
        return true;
      },
      close: () => Promise.resolve(),
    };
    async local(): Promise<SyslogRoad> {
      return this.dial("local", "");
    }
    async dial(network: string, address: string): Promise<SyslogRoad> {
      if (this.broken) throw new Error("refused");
      this.dialled.push(`${network} ${address}`);
      return this.#road;
    }
  }

  test("to the local daemon are in the BSD form, facility daemon, with the severity of the level", async () => {
    const roads = new FakeRoads();
    const hub = hubOn(roads);
    await hub.configure({ ...plain, syslog: true });
    hub.info("i");
    hub.warn("w");
    hub.error("e");
    hub.fatal("f");
    hub.debug("d");
    hub.trace("t\n");
    expect(roads.sent).toEqual([29, 28, 27, 26, 31, 29].map((priority, i) => `<${priority}>Nov  3 18:12:45 nats-server[7]: ${"iwefdt"[i]}\n`));
  });

  test("over the network have an RFC 3339 date and the host name, and facility 0", async () => {
    const roads = new FakeRoads();
    const hub = hubOn(roads);
    await hub.configure({ ...plain, remoteSyslog: "udp://127.0.0.1:514", syslog: true });
    hub.info("i");
    expect(roads.dialled).toEqual(["udp 127.0.0.1:514"]);
    expect(roads.sent).toEqual(["<5>2026-11-03T18:12:45Z host nats-server[7]: i\n"]);
  });

  test("wait while a broken road is dialled again, once a second", async () => {
    const roads = new FakeRoads();
    const clock = new FakeClock();
    const hub = hubOn(roads, clock);
    await hub.configure({ ...plain, remoteSyslog: "tcp://h:1" });
    roads.broken = true;
    hub.info("one");
    await Bun.sleep(0);
    hub.info("two");
    roads.broken = false;
    clock.advance(999);
    await Bun.sleep(0);
    expect(roads.sent).toEqual([]);
    clock.advance(1);
    await Bun.sleep(0);
    hub.info("three");
    expect(roads.sent.map((line) => line.slice(line.indexOf("]:") + 3))).toEqual(["one\n", "two\n", "three\n"]);
  });
});

describe("addresses", () => {
  test("name a network and a place", () => {
    expect(parseSyslogAddress("UDP://127.0.0.1:9")).toEqual({ kind: "remote", network: "udp", address: "127.0.0.1:9" });
    expect(parseSyslogAddress("tcp://[::1]:514/x")).toEqual({ kind: "remote", network: "tcp", address: "[::1]:514" });
    expect(parseSyslogAddress("unix:/run/log")).toEqual({ kind: "remote", network: "unix", address: "/run/log" });
    expect(parseSyslogAddress("unix://host/run/log")).toEqual({ kind: "remote", network: "unix", address: "/run/log" });
  });

  test.each([
    ["foo://x:1", 'error invalid network type: "foo"'],
    ["udp", 'error invalid network type: ""'],
    ["127.0.0.1:514", 'parse "127.0.0.1:514": first path segment in URL cannot contain colon'],
    ["%zz", 'parse "%zz": invalid URL escape "%zz"'],
    ["udp://127.0.0.1", 'error connecting to syslog: "dial udp: address 127.0.0.1: missing port in address"'],
    ["udp://127.0.0.1:99999", 'error connecting to syslog: "dial udp: address 99999: invalid port"'],
    ["tcp://", 'error connecting to syslog: "dial tcp: missing address"'],
    ["tcp://127.0.0.1:1", 'error connecting to syslog: "dial tcp 127.0.0.1:1: connect: connection refused"'],
    ["unix:/nonexistent", 'error connecting to syslog: "dial unix /nonexistent: connect: no such file or directory"'],
  ])("%s is refused", async (remoteSyslog, text) => {
    const refused = hubOn(new SystemSyslog()).configure({ ...plain, remoteSyslog });
    await expect(refused).rejects.toThrow(text);
  });

  test("of the local daemon: nobody listens", async () => {
    const refused = hubOn(new SystemSyslog([join(temporaryFolder(), "log")])).configure({ ...plain, syslog: true });
    await expect(refused).rejects.toThrow('error connecting to syslog: "Unix syslog delivery error"');
  });
});

describe("roads", () => {
  test("udp", async () => {
    let text = "";
    const daemon = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0, socket: { data: (_socket, bytes) => void (text += bytes.toString()) } });
    open.push(daemon);
    const hub = hubOn(new SystemSyslog());
    await hub.configure({ ...plain, remoteSyslog: `udp://localhost:${daemon.port}` });
    hub.info("hello");
    expect(await hears(() => text, "<5>", "hello\n")).toBe(true);
  });

  test("udp to nobody does no harm", async () => {
    const daemon = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    const { port } = daemon;
    daemon.close();
    const hub = hubOn(new SystemSyslog());
    await hub.configure({ ...plain, remoteSyslog: `udp://127.0.0.1:${port}` });
    for (let i = 0; i < 20; i++) {
      hub.info("nobody");
      await Bun.sleep(0);
    }
    expect(hub.debugOn).toBe(true);
  });

  test("tcp, also after the daemon closed the connection", async () => {
    const daemon = await streamDaemon(0);
    const hub = hubOn(new SystemSyslog(), new SystemClock());
    await hub.configure({ ...plain, remoteSyslog: `tcp://127.0.0.1:${(daemon.server.address() as AddressInfo).port}` });
    hub.info("first");
    await hears(daemon.heard, "first\n");
    daemon.sockets[0]?.destroy();
    await poll(5000, "a new connection", () => {
      hub.info("again");
      return daemon.sockets.length > 1 ? true : undefined;
    });
    hub.info("second");
    expect(await hears(daemon.heard, "second\n")).toBe(true);
  });

  test("tcp with more than the socket's buffers hold arrives whole by the time of close", async () => {
    const daemon = await streamDaemon(0);
    const hub = hubOn(new SystemSyslog());
    await hub.configure({ ...plain, remoteSyslog: `tcp://127.0.0.1:${(daemon.server.address() as AddressInfo).port}` });
    for (let i = 0; i < 500; i++) hub.info("x".repeat(1000));
    hub.info("the last");
    await hub.close();
    await hears(daemon.heard, "the last\n");
    expect(daemon.heard().split("\n").length).toBe(502);
  });

  test("unix stream, remote and local", async () => {
    const path = join(temporaryFolder(), "log");
    const daemon = await streamDaemon(path);
    const remote = hubOn(new SystemSyslog());
    await remote.configure({ ...plain, remoteSyslog: `unix:${path}` });
    remote.info("remote");
    const local = hubOn(new SystemSyslog([path]));
    await local.configure({ ...plain, syslog: true });
    local.info("local");
    expect(await hears(daemon.heard, "<5>Nov  3 18:12:45 nats-server[7]: remote\n", "<29>Nov  3 18:12:45 nats-server[7]: local\n")).toBe(true);
  });

  test("unix datagram, as the local daemon listens", async () => {
    const path = join(temporaryFolder(), "log");
    // the runtime has no such socket, so the daemon is another program
    const script = "import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint('ready',flush=True)\nprint(s.recv(9999).decode(),flush=True)";
    const daemon = Bun.spawn(["python3", "-c", script, path], { stdout: "pipe", stderr: "inherit" });
    open.push({ close: () => daemon.kill() });
    const reader = daemon.stdout.getReader();
    let text = "";
    const read = async (until: string): Promise<void> => {
      while (!text.includes(until)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`the daemon ended after ${JSON.stringify(text)}`);
        text += Buffer.from(value).toString();
      }
    };
    await read("ready");
    const hub = hubOn(new SystemSyslog([path]));
    await hub.configure({ ...plain, syslog: true });
    hub.warn("datagram");
    await read("datagram");
    expect(text).toContain("<28>Nov  3 18:12:45 nats-server[7]: datagram\n");
  });
});
