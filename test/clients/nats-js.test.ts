/**
 * The JavaScript clients over TCP, as applications use them: `nats` (version 2) and `@nats-io/transport-node` (version 3), against our own executable
 * (NATS_SERVER, or dist/nats-server). What the server refuses must reach the application as the client's own error of the right kind.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join, resolve } from "node:path";
import * as v3 from "@nats-io/transport-node";
import type { ConnectionOptions, Msg, NatsConnection } from "@nats-io/transport-node";
import * as v2 from "nats";
import { within } from "../support/deadline.ts";
import { nkeyNamed } from "../support/nkeys.ts";
import { ServerProcess } from "../support/server-process.ts";

setDefaultTimeout(30_000);

const binary = resolve(process.env["NATS_SERVER"] ?? join(import.meta.dir, "../../dist/nats-server"));

type ErrorKind = "authorization" | "permissions" | "no responders" | "payload" | "timeout";

/** One client library, as far as the two differ. */
interface Library {
  readonly name: string;
  readonly connect: (options: ConnectionOptions) => Promise<NatsConnection>;
  readonly headers: typeof v3.headers;
  readonly nkeyAuthenticator: typeof v3.nkeyAuthenticator;
  /** By the library's own error types and codes. */
  readonly kindOf: (error: unknown) => ErrorKind | undefined;
}

const V2_CODES: Readonly<Record<string, ErrorKind>> = {
  [v2.ErrorCode.AuthorizationViolation]: "authorization",
  [v2.ErrorCode.PermissionsViolation]: "permissions",
  [v2.ErrorCode.NoResponders]: "no responders",
  [v2.ErrorCode.MaxPayloadExceeded]: "payload",
  [v2.ErrorCode.Timeout]: "timeout",
};

function v3KindOf(error: unknown): ErrorKind | undefined {
  // a request wraps what ended it
  if (error instanceof v3.RequestError) return v3KindOf(error.cause);
  if (error instanceof v3.AuthorizationError) return "authorization";
  if (error instanceof v3.PermissionViolationError) return "permissions";
  if (error instanceof v3.NoRespondersError) return "no responders";
  if (error instanceof v3.TimeoutError) return "timeout";
  return error instanceof v3.InvalidArgumentError && error.message.includes("max_payload") ? "payload" : undefined;
}

const libraries: readonly Library[] = [
  {
    name: "nats",
    // Version 2 declares types of its own, which are those of version 3 in all that is used here.
    connect: v2.connect as unknown as Library["connect"],
    headers: v2.headers as unknown as Library["headers"],
    nkeyAuthenticator: v2.nkeyAuthenticator as unknown as Library["nkeyAuthenticator"],
    kindOf: (error) => (error instanceof v2.NatsError ? V2_CODES[error.code] : undefined),
  },
  { name: "@nats-io/transport-node", connect: v3.connect, headers: v3.headers, nkeyAuthenticator: v3.nkeyAuthenticator, kindOf: v3KindOf },
];

/** The first `count` messages of a subscription. */
async function take(subscription: AsyncIterable<Msg>, count: number): Promise<Msg[]> {
  const messages: Msg[] = [];
  for await (const message of subscription) if (messages.push(message) === count) break;
  return messages;
}

/** Resolves when the connection's status iterator says `type`. */
async function status(connection: NatsConnection, type: string): Promise<void> {
  for await (const each of connection.status()) if (each.type === type) return;
  throw new Error(`the connection ended without status ${type}`);
}

describe.each(libraries)("$name", (library) => {
  const servers: ServerProcess[] = [];
  const connections: NatsConnection[] = [];
  afterEach(async () => {
    for (const connection of connections.splice(0)) await connection.close();
    for (const server of servers.splice(0)) await server.stop();
  });

  const start = async (config?: string, args: readonly string[] = []): Promise<ServerProcess> => {
    const server = await ServerProcess.start({ binary, args, ...(config === undefined ? {} : { config }) });
    servers.push(server);
    return server;
  };
  const connect = async (server: ServerProcess, options: ConnectionOptions = {}): Promise<NatsConnection> => {
    const connection = await library.connect({ servers: `127.0.0.1:${server.ports.nats?.port}`, reconnectTimeWait: 10, reconnectJitter: 0, maxReconnectAttempts: -1, ...options });
    connections.push(connection);
    return connection;
  };
  /** The kind of the error that `action` ends with. */
  const failure = async (action: () => unknown): Promise<ErrorKind | undefined> => {
    try {
      await action();
    } catch (error) {
      const kind = library.kindOf(error);
      if (kind === undefined) throw error;
      return kind;
    }
    throw new Error("nothing failed");
  };

  test("publishes and subscribes, in order, with wildcards and any bytes", async () => {
    const server = await start();
    const [publisher, subscriber] = [await connect(server), await connect(server)];
    const received = take(subscriber.subscribe("numbers.*"), 1000);
    const bytes = take(subscriber.subscribe("bytes.>"), 1);
    await subscriber.flush();
    for (let number = 0; number < 1000; number++) publisher.publish(`numbers.${number % 7}`, String(number));
    publisher.publish("bytes.a.b", Uint8Array.from({ length: 256 }, (_, index) => index));
    expect((await received).map((message) => [message.subject, message.string()])).toEqual(Array.from({ length: 1000 }, (_, number) => [`numbers.${number % 7}`, String(number)]));
    expect([...(await bytes)[0].data]).toEqual(Array.from({ length: 256 }, (_, index) => index));
  });

  test("shares work in a queue: each message goes to one member, and all members get some", async () => {
    const server = await start();
    const publisher = await connect(server);
    const counts = [0, 0, 0];
    const seen = new Set<string>();
    const { promise: all, resolve: done } = Promise.withResolvers<void>();
    for (const [member] of counts.entries()) {
      const connection = await connect(server);
      connection.subscribe("work", {
        queue: "workers",
        callback: (_, message) => {
          counts[member]++;
          seen.add(message.string());
          if (seen.size === 300) done();
        },
      });
      await connection.flush();
    }
    for (let number = 0; number < 300; number++) publisher.publish("work", String(number));
    await within(5000, "all messages", all);
    await Promise.all(connections.map((connection) => connection.flush()));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(300);
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  test("requests and replies, a hundred at a time, and with an inbox of its own", async () => {
    const server = await start();
    const [service, requester] = [await connect(server), await connect(server)];
    service.subscribe("double", { callback: (_, message) => void message.respond(String(Number(message.string()) * 2)) });
    await service.flush();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, number) => requester.request("double", String(number), { timeout: 5000 })));
    expect(answers.map((answer) => answer.string())).toEqual(Array.from({ length: 100 }, (_, number) => String(number * 2)));
    expect((await requester.request("double", "21", { timeout: 5000, noMux: true })).string()).toBe("42");
  });

  test("carries headers", async () => {
    const connection = await connect(await start());
    const received = take(connection.subscribe("with.headers"), 1);
    const headers = library.headers();
    headers.set("Colour", "blue");
    headers.append("Many", "one");
    headers.append("Many", "two");
    connection.publish("with.headers", "body", { headers });
    const [message] = await received;
    expect([message.headers?.get("Colour"), message.headers?.values("Many"), message.string()]).toEqual(["blue", ["one", "two"], "body"]);
  });

  test("reports no responders at once, and a silent responder by timeout", async () => {
    const connection = await connect(await start());
    expect(await failure(() => connection.request("nobody", "", { timeout: 20_000 }))).toBe("no responders");
    connection.subscribe("silent", { callback: () => undefined });
    expect(await failure(() => connection.request("silent", "", { timeout: 100 }))).toBe("timeout");
  });

  test("drains a subscription and a connection without losing what was sent", async () => {
    const server = await start();
    const [publisher, subscriber] = [await connect(server), await connect(server)];
    const subscription = subscriber.subscribe("drained");
    await subscriber.flush();
    for (let number = 0; number < 500; number++) publisher.publish("drained", String(number));
    await publisher.flush();
    const received = take(subscription, 10_000);
    await subscription.drain();
    expect(await received).toHaveLength(500);
    expect(await failure(() => publisher.request("drained", "", { timeout: 5000 }))).toBe("no responders");
    await subscriber.drain();
    expect(await subscriber.closed()).toBeUndefined();
  });

  test("reconnects after a restart of the server and subscribes again", async () => {
    const first = await start();
    const port = first.ports.nats?.port;
    const connection = await connect(first);
    const subscription = connection.subscribe("after.restart");
    await connection.flush();
    const [lost, back] = [status(connection, "disconnect"), status(connection, "reconnect")];
    await first.stop();
    await within(5000, "status disconnect", lost);
    await start(undefined, ["-p", String(port)]);
    await within(10_000, "status reconnect", back);
    const received = take(subscription, 1);
    connection.publish("after.restart", "hello again");
    expect((await within(5000, "a message", received))[0].string()).toBe("hello again");
  });

  test("refuses payloads beyond what INFO says, and takes those up to it", async () => {
    const connection = await connect(await start("max_payload: 1000"));
    expect(connection.info?.max_payload).toBe(1000);
    expect(await failure(() => connection.publish("big", new Uint8Array(1001)))).toBe("payload");
    const received = take(connection.subscribe("big"), 1);
    connection.publish("big", new Uint8Array(1000));
    expect((await received)[0].data).toHaveLength(1000);
  });

  const users = 'authorization { users: [ { user: a, password: a, permissions: { publish: { deny: "secret" }, subscribe: { deny: "secret" } } } ] }';

  test("surfaces refused logins as authorization errors", async () => {
    const server = await start(users);
    expect(await failure(() => connect(server))).toBe("authorization");
    expect(await failure(() => connect(server, { user: "a", pass: "b" }))).toBe("authorization");
    expect((await connect(server, { user: "a", pass: "a" })).isClosed()).toBe(false);
    const withToken = await start("authorization { token: right }");
    expect(await failure(() => connect(withToken, { token: "wrong" }))).toBe("authorization");
    expect((await connect(withToken, { token: "right" })).isClosed()).toBe(false);
  });

  test("signs in with an nkey, and is refused with another", async () => {
    const [known, stranger] = [nkeyNamed("user", "known"), nkeyNamed("user", "stranger")];
    const server = await start(`authorization { users: [ { nkey: ${known.publicKey} } ] }`);
    const authenticator = (seed: string): ConnectionOptions => ({ authenticator: library.nkeyAuthenticator(new TextEncoder().encode(seed)) });
    expect((await connect(server, authenticator(known.seed))).isClosed()).toBe(false);
    expect(await failure(() => connect(server, authenticator(stranger.seed)))).toBe("authorization");
  });

  test("surfaces permission violations to the subscription, the request and the status, and stays connected", async () => {
    const connection = await connect(await start(users), { user: "a", pass: "a" });
    expect(await failure(() => take(connection.subscribe("secret"), 1))).toBe("permissions");
    expect(await failure(() => connection.request("secret", "", { timeout: 5000 }))).toBe("permissions");
    const told = status(connection, "error");
    connection.publish("secret", "x");
    await within(5000, "status error", told);
    await connection.flush();
    expect(connection.isClosed()).toBe(false);
  });

  test("is told of lame duck mode", async () => {
    const server = await start('lame_duck_duration: "30s", lame_duck_grace_period: "1s"');
    const connection = await connect(server, { reconnect: false });
    const told = status(connection, "ldm");
    server.signal("SIGUSR2");
    await within(5000, "status ldm", told);
    await within(10_000, "end of the connection", connection.closed());
    expect(await server.exited(10_000)).toBe(0);
  });
});
