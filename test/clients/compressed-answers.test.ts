/** Answers of the system account's services in the form that a client asks for by `Accept-Encoding`: ours, and the reference's. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { uncompress } from "snappyjs";
import { ServerProcess } from "../support/server-process.ts";
import { binaries } from "./cli-session.ts";

setDefaultTimeout(30_000);

const STREAM_IDENTIFIER = 0xff;
const COMPRESSED = 0x00;
const UNCOMPRESSED = 0x01;
const CHECKSUM_BYTES = 4;

/** The content of Snappy's framing format. */
function unframed(bytes: Uint8Array): Buffer {
  const parts: Buffer[] = [];
  const frame = Buffer.from(bytes);
  for (let at = 0; at < frame.length; ) {
    const size = frame.readUIntLE(at + 1, 3);
    const chunk = frame.subarray(at + 4, at + 4 + size);
    if (frame[at] === STREAM_IDENTIFIER) expect(chunk.toString("latin1")).toBe("sNaPpY");
    else if (frame[at] === COMPRESSED) parts.push(Buffer.from(uncompress(chunk.subarray(CHECKSUM_BYTES))));
    else if (frame[at] === UNCOMPRESSED) parts.push(chunk.subarray(CHECKSUM_BYTES));
    else throw new Error(`a chunk of type ${frame[at]}`);
    at += 4 + size;
  }
  return Buffer.concat(parts);
}

describe.each(binaries)("%s", (binary) => {
  let server: ServerProcess | undefined;
  let system: NatsConnection | undefined;
  afterAll(async () => {
    await system?.close();
    await server?.stop();
  });

  const ask = async (accepted: string, body = ""): Promise<{ readonly encoding: string | undefined; readonly data: Uint8Array }> => {
    server ??= await ServerProcess.start({ binary, config: "server_name: north\nsystem_account: SYS\naccounts { SYS: { users: [ { user: sys, password: sys } ] } }" });
    system ??= await connect({ servers: `127.0.0.1:${server.ports.nats?.port}`, user: "sys", pass: "sys", reconnect: false });
    const asked = headers();
    if (accepted !== "") asked.set("Accept-Encoding", accepted);
    const answer = await system.request("$SYS.REQ.SERVER.PING.VARZ", body, { timeout: 5000, ...(accepted === "" ? {} : { headers: asked }) });
    return { encoding: answer.headers?.get("Content-Encoding") || undefined, data: answer.data };
  };

  test.each([
    ["gzip", "gzip", gunzipSync],
    ["deflate, GZIP", "gzip", gunzipSync],
    ["snappy", "snappy", unframed],
    ["s2", "snappy", unframed],
    ["gzip, Snappy", "snappy", unframed],
    ["br", "identity", Buffer.from],
    ["", undefined, Buffer.from],
  ] as const)("'%s': %s", async (accepted, encoding, decode) => {
    const answer = await ask(accepted);
    expect(answer.encoding).toBe(encoding);
    expect(JSON.parse(Buffer.from(decode(answer.data)).toString("utf8"))).toMatchObject({ server: { name: "north" }, data: { server_name: "north" } });
  });

  test("a refusal comes as it is", async () => {
    const { encoding, data } = await ask("gzip", "{bad");
    expect(encoding).toBeUndefined();
    expect(JSON.parse(Buffer.from(data).toString("utf8"))).toMatchObject({ error: { code: 400 } });
  });
});
