/** TLS on the client port of the executable: who gets in, what the others are told, and what the log says of them. Texts and alerts are the reference's, but for what the engine cannot send. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { certificateFolder, makeCertificate, publicKeyPin } from "../support/certificates.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { logText, ServerProcess } from "../support/server-process.ts";
import { BINARY, HELLO, pem, tlsBlock, TlsPeer, type TlsPeerOptions } from "./peer.ts";

setDefaultTimeout(30_000);

const servers = new Map<string, Promise<ServerProcess>>();

/** One server per configuration, shared by the tests of this file. */
function server(config: string): Promise<ServerProcess> {
  const running = servers.get(config) ?? ServerProcess.start({ binary: BINARY, config, args: ["-D"] });
  servers.set(config, running);
  return running;
}

afterAll(async () => {
  for (const running of servers.values()) await (await running).stop();
});

function portOf(running: ServerProcess): number {
  return running.ports.nats?.port ?? 0;
}

/** The log line of a connection, without address and number; waits for one from `from` on that has `part`. */
async function logged(running: ServerProcess, part: string, from: number): Promise<string> {
  const line = await running.waitForLog((text) => text.includes(part), from);
  return logText(line).replace(/127\.0\.0\.1:\d+/g, "ADDR").replace(/cid:\d+/, "cid:N");
}

/** Opens a connection that must fail; the alert (or undefined), and the log line of the failure. */
async function refusal(running: ServerProcess, options: TlsPeerOptions): Promise<readonly [string | undefined, string]> {
  const from = running.log.length;
  const peer = await TlsPeer.open(portOf(running), options);
  peer.socket.write(HELLO);
  const alert = await peer.ended();
  expect(peer.received.pending.length).toBe(0);
  return [alert, await logged(running, "TLS handshake error", from)];
}

const fingerprint = (name: string): string => new X509Certificate(pem(name)).fingerprint256.replaceAll(":", "").toLowerCase();

describe("versions, suites and groups", () => {
  test("1.2 and 1.3 by default", async () => {
    const running = await server(tlsBlock());
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const peer = await (await TlsPeer.open(portOf(running), { tls: { minVersion: version, maxVersion: version } })).secured();
      expect(peer.socket.getProtocol()).toBe(version);
      await peer.login();
      peer.close();
    }
  });

  test("older ones are refused with their alert", async () => {
    const [alert, line] = await refusal(await server(tlsBlock()), { tls: { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" } });
    expect(alert).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
    expect(line).toBe("[ERR] ADDR - cid:N - TLS handshake error: tls: client offered only unsupported versions: [302 301]");
  });

  test("min_version", async () => {
    const [alert, line] = await refusal(await server(tlsBlock('min_version: "1.3"')), { tls: { maxVersion: "TLSv1.2" } });
    expect(alert).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
    expect(line).toBe("[ERR] ADDR - cid:N - TLS handshake error: tls: client offered only unsupported versions: [303 302 301]");
  });

  test("cipher_suites restrict 1.2 and leave 1.3 alone", async () => {
    const running = await server(tlsBlock("cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]"));
    const [alert, line] = await refusal(running, { tls: { maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256" } });
    expect(alert).toBe("ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE");
    expect(line).toBe("[ERR] ADDR - cid:N - TLS handshake error: tls: no cipher suite supported by both client and server; client offered: [c02f c02b]");
    const old = await (await TlsPeer.open(portOf(running), { tls: { maxVersion: "TLSv1.2" } })).secured();
    expect(old.socket.getCipher().standardName).toBe("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
    const recent = await (await TlsPeer.open(portOf(running))).secured();
    expect(recent.socket.getProtocol()).toBe("TLSv1.3");
    old.close();
    recent.close();
  });

  test("curve_preferences restrict both", async () => {
    const running = await server(tlsBlock("curve_preferences: [CurveP521]"));
    const [alert, line] = await refusal(running, { tls: { ecdhCurve: "X25519" } });
    expect(alert).toBe("ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE");
    expect(line).toBe("[ERR] ADDR - cid:N - TLS handshake error: tls: no key exchanges supported by both client and server");
    const [, older] = await refusal(running, { tls: { ecdhCurve: "X25519", maxVersion: "TLSv1.2" } });
    expect(older).toStartWith("[ERR] ADDR - cid:N - TLS handshake error: tls: no cipher suite supported by both client and server; client offered: [");
    await (await TlsPeer.open(portOf(running), { tls: { ecdhCurve: "P-521" } })).secured().then((peer) => peer.close());
  });

  test("a block without a certificate refuses every handshake", async () => {
    const [alert, line] = await refusal(await server("tls {}"), {});
    expect(alert).toStartWith("ERR_SSL_");
    expect(line).toBe("[ERR] ADDR - cid:N - TLS handshake error: tls: no certificates configured");
  });
});

describe("client certificates", () => {
  const config = tlsBlock("verify: true");

  test("one of the authority is accepted", async () => {
    const running = await server(config);
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const peer = await TlsPeer.open(portOf(running), { certificate: "client", tls: { maxVersion } });
      expect(JSON.parse(peer.clear.slice(5))).toMatchObject({ tls_required: true, tls_verify: true });
      await peer.login();
      peer.close();
    }
  });

  test("none is refused with its alert", async () => {
    const running = await server(config);
    for (const [maxVersion, expected] of [["TLSv1.2", "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE"], ["TLSv1.3", "ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED"]] as const) {
      const [alert, line] = await refusal(running, { tls: { maxVersion } });
      expect(alert).toBe(expected);
      expect(line).toBe("[ERR] ADDR - cid:N - TLS handshake error: tls: client didn't provide a certificate");
    }
  });

  test("one of nobody known is refused, and nothing it sent is read", async () => {
    const running = await server(config);
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const [, line] = await refusal(running, { certificate: "stranger", tls: { maxVersion } });
      expect(line).toBe(`[ERR] ADDR - cid:N - TLS handshake error: tls: failed to verify certificate: x509: certificate signed by unknown authority (CN=stranger,O=Elsewhere SHA-256: ${fingerprint("stranger")})`);
    }
  });

  test("a session that was refused cannot be resumed", async () => {
    const running = await server(config);
    const first = await TlsPeer.open(portOf(running), { certificate: "stranger", tls: { maxVersion: "TLSv1.2" } });
    const session = new Promise<Buffer>((resolve) => first.socket.once("session", resolve));
    await first.ended();
    const [, line] = await refusal(running, { tls: { maxVersion: "TLSv1.2", session: await session } });
    expect(line).toContain("TLS handshake error: tls: ");
  });

  test("one that is not for clients is refused", async () => {
        makeCertificate(certificateFolder(), "server-only", { subject: "/O=NATS/CN=server only", usage: "serverAuth" });
    const [, line] = await refusal(await server(config), { certificate: "server-only" });
    expect(line).toContain("tls: failed to verify certificate: x509: certificate specifies an incompatible key usage (CN=server only,O=NATS SHA-256: ");
  });

  test("pinned: a good handshake, then the end", async () => {
    const running = await server(tlsBlock("verify: true", `pinned_certs: ["${publicKeyPin(certificateFolder(), "client").toUpperCase()}"]`));
    await (await TlsPeer.open(portOf(running), { certificate: "client" })).login().then((peer) => peer.close());
    const from = running.log.length;
    const [alert, line] = await refusal(running, { certificate: "client-dns" });
    expect(alert === undefined || alert === "ECONNRESET").toBe(true);
    expect(line).toBe("[ERR] ADDR - cid:N - TLS handshake error: certificate not pinned");
    expect(await logged(running, "Failed pinned", from)).toBe(`[DBG] ADDR - cid:N - Failed pinned cert test for key id: ${publicKeyPin(certificateFolder(), "client-dns")}`);
    const own = /cid:\d+ /.exec(running.log.findLast((text) => text.includes("Failed pinned")) ?? "")?.[0] ?? "none";
    expect(running.log.filter((text) => text.includes(own)).map((text) => logText(text).replace(/^.* - /, "").slice(0, 23))).toEqual([
      "Client connection creat",
      "Starting TLS client con",
      "Failed pinned cert test",
      "TLS handshake error: ce",
      "Client connection close",
    ]);
  });

  test("pinned, but nobody asked for a certificate", async () => {
    const running = await server(tlsBlock(`pinned_certs: ["${"a".repeat(64)}"]`));
    const from = running.log.length;
    await refusal(running, {});
    expect(await logged(running, "Failed pinned", from)).toBe("[DBG] ADDR - cid:N - Failed pinned cert test as client did not provide a certificate");
  });
});

describe("clients that do not speak TLS", () => {
  /** Sends `bytes` after INFO and waits for the end; milliseconds that took, what came, and the log. */
  async function talk(config: string, bytes: string, infoFirst = true): Promise<{ readonly ms: number; readonly left: string; readonly log: string }> {
    const running = await server(config);
    const from = running.log.length;
    const socket = await RawSocket.open("127.0.0.1", portOf(running));
    if (infoFirst) await socket.received.readLine(2000);
    const startMs = performance.now();
    socket.send(Buffer.from(bytes, "latin1"));
    await socket.received.readBytes(100_000, 5000).catch((error: unknown) => {
      if (!socket.received.ended) throw error;
    });
    const line = await logged(running, "TLS handshake error", from);
    socket.destroy();
    return { ms: performance.now() - startMs, left: socket.received.pending.toString("latin1"), log: line };
  }

  test("plain text ends at once, for the debug log", async () => {
    const { ms, left, log } = await talk(tlsBlock(), HELLO);
    expect(left).toBe("");
    expect(ms).toBeLessThan(900);
    expect(log).toBe("[DBG] ADDR - cid:N - TLS handshake error: tls: first record does not look like a TLS handshake");
  });

  test("plain text to a TLS-first listener, too", async () => {
    const { left, log } = await talk(tlsBlock("handshake_first: true"), HELLO, false);
    expect(left).toBe("");
    expect(log).toContain("[DBG] ADDR - cid:N - TLS handshake error: tls: first record does not look");
  });

  test("silence, or half a record, ends after the timeout", async () => {
    for (const bytes of ["", "\x16", "\x16\x03\x01\x01\x00abc"]) {
      const { ms, left, log } = await talk(tlsBlock(), bytes);
      expect(left).toBe("");
      expect(ms).toBeGreaterThan(900);
      expect(log).toBe("[DBG] ADDR - cid:N - TLS handshake error: read tcp ADDR->ADDR: i/o timeout");
    }
  });

  test("a handshake record with garbage in it is an error", async () => {
    const { log } = await talk(tlsBlock(), "\x16\x03\x01\x00\x10aaaaaaaaaaaaaaaaaaaaaaaaaaa");
    expect(log).toStartWith("[ERR] ADDR - cid:N - TLS handshake error: tls: ");
  });

  test("a client that leaves is an error, and its connection is a failed handshake", async () => {
    const running = await server(tlsBlock());
    const from = running.log.length;
    const socket = await RawSocket.open("127.0.0.1", portOf(running));
    await socket.received.readLine(2000);
    socket.close();
    expect(await logged(running, "TLS handshake error", from)).toBe("[ERR] ADDR - cid:N - TLS handshake error: EOF");
    expect(await logged(running, "connection closed", from)).toBe("[DBG] ADDR - cid:N - Client connection closed: TLS Handshake Failure");
  });
});

describe("handshake_first", () => {
  test("auto: a client that speaks first never sees INFO in clear", async () => {
    const running = await server(tlsBlock('handshake_first: "auto"'));
    const peer = await (await TlsPeer.open(portOf(running), { infoFirst: false })).secured();
    expect(JSON.parse((await peer.received.readLine(2000)).slice(5))).toMatchObject({ tls_required: true });
    await peer.login();
    peer.close();
  });

  test("auto: a client that waits gets INFO, and its time for the handshake starts then", async () => {
    const running = await server(tlsBlock('handshake_first: "auto"'));
    const startMs = performance.now();
    const socket = await RawSocket.open("127.0.0.1", portOf(running));
    await socket.received.readLine(2000);
    expect(performance.now() - startMs).toBeGreaterThan(40);
    await socket.received.readEnd(4000);
    expect(performance.now() - startMs).toBeGreaterThan(1000);
  });

  test("with allow_non_tls, all three kinds of client get in", async () => {
    const running = await server(`allow_non_tls: true\n${tlsBlock('handshake_first: "100ms"')}`);
    const first = await (await TlsPeer.open(portOf(running), { infoFirst: false })).secured();
    expect(JSON.parse((await first.received.readLine(2000)).slice(5))).toMatchObject({ tls_required: true, tls_available: true });
    const second = await TlsPeer.open(portOf(running));
    expect(JSON.parse(second.clear.slice(5)).tls_required).toBeUndefined();
    await second.login();
    const plain = await RawSocket.open("127.0.0.1", portOf(running));
    await plain.received.readLine(2000);
    plain.send(Buffer.from(HELLO));
    expect(await plain.received.readLine(2000)).toBe("PONG");
    for (const each of [first, second]) each.close();
    plain.destroy();
  });

  test("a connection too many is told so in clear at once", async () => {
    const running = await ServerProcess.start({ binary: BINARY, config: `max_connections: 1\n${tlsBlock("handshake_first: true")}` });
    const first = await (await TlsPeer.open(portOf(running), { infoFirst: false })).login();
    const second = await RawSocket.open("127.0.0.1", portOf(running));
    expect(await second.received.readLine(2000)).toBe("-ERR 'maximum connections exceeded'");
    await second.received.readEnd(2000);
    first.close();
    await running.stop();
  });
});

describe("PROXY header and TLS", () => {
  const header = "PROXY TCP4 192.0.2.7 192.0.2.8 4711 4222\r\n";

  test("in front of the handshake, with INFO before or inside", async () => {
    for (const first of [false, true]) {
      const running = await server(`proxy_protocol: true\n${tlsBlock(`handshake_first: ${first}`)}`);
      for (const before of [header, undefined]) {
        const peer = await TlsPeer.open(portOf(running), { before, infoFirst: !first });
        const info = first ? await peer.received.readLine(2000) : peer.clear;
        expect(JSON.parse(info.slice(5)).client_ip).toBe(first ? (before === undefined ? "127.0.0.1" : "192.0.2.7") : undefined);
        await peer.login();
        peer.close();
      }
    }
  });

  test("TLS or not is decided behind the header", async () => {
    const running = await server(`proxy_protocol: true\nallow_non_tls: true\n${tlsBlock()}`);
    await (await TlsPeer.open(portOf(running), { before: header })).login().then((peer) => peer.close());
    const plain = await RawSocket.open("127.0.0.1", portOf(running));
    plain.send(Buffer.from(`${header}${HELLO}`));
    await plain.received.readLine(2000);
    expect(await plain.received.readLine(2000)).toBe("PONG");
    plain.destroy();
  });
});

describe("several certificates", () => {
  test("by the name asked for, with the first for all others", async () => {
    const folder = certificateFolder();
        makeCertificate(folder, "other", { subject: "/CN=other", names: "DNS:other.test,DNS:*.wild.test" });
    const pair = (name: string): string => `{ cert_file: "${folder}/${name}.pem", key_file: "${folder}/${name}-key.pem" }`;
    const running = await server(`tls { certs: [${pair("server")}, ${pair("other")}] }`);
    const served = async (servername: string): Promise<string> => {
      const peer = await (await TlsPeer.open(portOf(running), { tls: { servername, rejectUnauthorized: false } })).login();
      const { subject } = peer;
      peer.close();
      return subject;
    };
    expect(await served("other.test")).toBe("other");
    expect(await served("a.wild.test")).toBe("other");
    expect(await served("a.b.wild.test")).toBe("localhost");
    expect(await served("LOCALHOST")).toBe("localhost");
    expect(await served("unknown.test")).toBe("localhost");
    expect(await served("")).toBe("localhost");
  });
});

describe("reload", () => {
  test("new connections get the new certificate, present ones go on; a broken file changes nothing", async () => {
    const folder = certificateFolder();
    const config = (name: string): string => `tls { cert_file: "${folder}/${name}.pem", key_file: "${folder}/${name}-key.pem" }\nwebsocket { listen: "127.0.0.1:-1", tls { cert_file: "${folder}/${name}.pem", key_file: "${folder}/${name}-key.pem" } }`;
    const running = await ServerProcess.start({ binary: BINARY, config: config("server") });
    const served = async (port: number, infoFirst: boolean): Promise<string> => {
      const peer = await (await TlsPeer.open(port, { infoFirst })).secured();
      const { subject } = peer;
      peer.close();
      return subject;
    };
    const websocketPort = running.ports.websocket?.port ?? 0;
    const present = await (await TlsPeer.open(portOf(running))).login();
    expect(await served(portOf(running), true)).toBe("localhost");
    expect(await served(websocketPort, false)).toBe("localhost");
    let from = running.log.length;
    running.writeConfig(config("server-2"));
    running.signal("SIGHUP");
    await running.waitForLog((line) => line.includes("Reloaded: tls = enabled"), from);
    await running.waitForLog((line) => line.includes("Reloaded server configuration"), from);
    expect(await served(portOf(running), true)).toBe("second");
    expect(await served(websocketPort, false)).toBe("second");
    from = running.log.length;
    running.writeConfig(config("missing"));
    running.signal("SIGHUP");
    await running.waitForLog((line) => line.includes("Failed to reload"), from);
    expect(await served(portOf(running), true)).toBe("second");
    present.socket.write("PING\r\n");
    expect(await present.received.readLine(2000)).toBe("PONG");
    present.close();
    await running.stop();
  });
});

test("a thousand failed handshakes and a hundred good ones leave no memory behind", async () => {
  const running = await ServerProcess.start({ binary: BINARY, config: tlsBlock("verify: true") });
  const rss = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${running.pid}/status`, "utf8"))?.[1]);
  const round = async (count: number, certificate: string): Promise<void> => {
    for (let done = 0; done < count; done += 25) {
      await Promise.all(
        Array.from({ length: 25 }, async () => {
          const peer = await TlsPeer.open(portOf(running), { certificate });
          if (certificate === "client") await peer.login();
          else await peer.ended();
          peer.close();
        }),
      );
    }
  };
  await round(500, "stranger");
  await round(50, "client");
  const before = rss();
  await round(500, "stranger");
  await round(50, "client");
  expect(rss() - before).toBeLessThan(15_000);
  await running.stop();
});
