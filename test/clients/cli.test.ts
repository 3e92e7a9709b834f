/**
 * The `nats` command-line client (its path in NATS_CLI; `scripts/nats-cli` prints one) as people use it, on our own executable (NATS_SERVER, or
 * dist/nats-server). Where NATS_REFERENCE_SERVER names a binary, the same commands run there too, and exit codes and the shape of all output (everything but
 * numbers, times and addresses) must be equal. REQUIRE_REFERENCE=1 makes a missing CLI or reference an error.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { certificateFolder } from "../support/certificates.ts";
import { nkeyNamed } from "../support/nkeys.ts";
import type { Outcome } from "../support/server-process.ts";
import { binaries, hasCli, requireCli, runCli, type Session, sessionOn, shape } from "./cli-session.ts";

setDefaultTimeout(60_000);

requireCli();

/** Some commands on a server, and what must come of each. */
interface Scenario {
  readonly name: string;
  /** Of the server. */
  readonly config?: () => string;
  readonly files?: Readonly<Record<string, string>>;
  readonly run: (session: Session) => Promise<readonly Outcome[]>;
  /** One entry per command: its exit code, and what its output (both streams) must contain. */
  readonly expected: readonly { readonly code: number; readonly text?: RegExp }[];
}

const certificate = (name: string): string => join(certificateFolder(), name);
const tlsConfig = (more = ""): string => `tls { cert_file: "${certificate("server.pem")}", key_file: "${certificate("server-key.pem")}", ${more} }`;
const clientPair = (name: string): string[] => ["--tlscert", certificate(`${name}.pem`), "--tlskey", certificate(`${name}-key.pem`)];

const ok = { code: 0 };
const refused = { code: 1, text: /Authorization Violation/i };

const scenarios: readonly Scenario[] = [
  {
    name: "pub",
    run: async (session) => [await session.nats("pub", "greet.joe", "hello"), await session.nats("pub", "greet.joe", "hello", "--header", "A:b", "--count", "5")],
    expected: [{ code: 0, text: /Published 5 bytes to "greet\.joe"/ }, ok],
  },
  {
    name: "sub",
    run: async (session) => {
      const subscriber = session.nats("sub", "greet.*", "--count", "2");
      await session.subscribed("greet.*");
      const publishers = [await session.nats("pub", "greet.joe", "hello", "--header", "Colour:blue"), await session.nats("pub", "greet.sue", "bye")];
      return [...publishers, await subscriber];
    },
    expected: [ok, ok, { code: 0, text: /\[#1\] Received on "greet\.joe"[^]*Colour: blue[^]*hello[^]*\[#2\] Received on "greet\.sue"[^]*bye/ }],
  },
  {
    name: "sub in a queue",
    run: async (session) => {
      const subscriber = session.nats("sub", "jobs", "--queue", "workers", "--count", "1", "--raw");
      await session.subscribed("jobs");
      return [await session.nats("pub", "jobs", "job 1"), await subscriber];
    },
    expected: [ok, { code: 0, text: /^job 1\n/ }],
  },
  {
    name: "request and reply",
    run: async (session) => {
      // after its only answer `nats reply` ends with 1, on either server
      const service = session.nats("reply", "help", "answer to {{.Request}}", "--count", "1");
      await session.subscribed("help");
      return [await session.nats("request", "help", "me", "--timeout", "5s"), await service];
    },
    expected: [{ code: 0, text: /answer to me/ }, { code: 1, text: /Received on subject "help"/ }],
  },
  {
    name: "request without responders",
    run: async (session) => [await session.nats("request", "nobody", "hello")],
    expected: [{ code: 0, text: /No responders are available/ }],
  },
  {
    name: "bench pub and sub",
    run: async (session) => {
      const subscriber = session.nats("bench", "sub", "load", "--msgs", "20000", "--no-progress");
      await session.subscribed("load");
      return [await session.nats("bench", "pub", "load", "--msgs", "20000", "--size", "16", "--no-progress"), await subscriber];
    },
    expected: [{ code: 0, text: /publisher stats: [\d,]+ msgs\/sec/ }, { code: 0, text: /subscriber stats: [\d,]+ msgs\/sec/ }],
  },
  {
    name: "server check connection",
    run: async (session) => [await session.nats("server", "check", "connection")],
    expected: [{ code: 0, text: /^OK Connection OK:connected/ }],
  },
  { name: "rtt", run: async (session) => [await session.nats("rtt")], expected: [{ code: 0, text: /:\d+: [\d.]+(?:µs|ms)/ }] },
  {
    name: "user and password",
    config: () => "authorization { users: [ { user: alice, password: wonderland }, { user: bob, password: builder, permissions: { publish: { deny: secret } } } ] }",
    run: async (session) => [
      await session.nats("--user", "alice", "--password", "wonderland", "pub", "x", "y"),
      await session.nats("--user", "alice", "--password", "guess", "pub", "x", "y"),
      await session.nats("pub", "x", "y"),
      await session.nats("--user", "bob", "--password", "builder", "server", "check", "connection"),
    ],
    expected: [ok, refused, refused, ok],
  },
  {
    name: "nkey",
    config: () => `authorization { users: [ { nkey: ${nkeyNamed("user", "cli").publicKey} } ] }`,
    files: { "good.nk": nkeyNamed("user", "cli").seed, "bad.nk": nkeyNamed("user", "another").seed },
    run: async (session) => [
      await session.nats("--nkey", join(session.server.folder, "good.nk"), "pub", "x", "y"),
      await session.nats("--nkey", join(session.server.folder, "bad.nk"), "pub", "x", "y"),
    ],
    expected: [ok, refused],
  },
  {
    name: "token",
    config: () => 'authorization { token: "s3cret" }',
    run: async (session) => [await session.nats("--token", "s3cret", "pub", "x", "y"), await session.nats("--token", "guess", "pub", "x", "y")],
    expected: [ok, refused],
  },
  {
    name: "TLS",
    config: () => tlsConfig(),
    run: async (session) => [
      await session.nats("--tlsca", certificate("ca.pem"), "server", "check", "connection"),
      // without the authority the client cannot know the server
      await session.nats("pub", "x", "y"),
    ],
    expected: [{ code: 0, text: /^OK Connection/ }, { code: 1, text: /certificate signed by unknown authority/ }],
  },
  {
    name: "TLS with client certificates",
    config: () => tlsConfig(`ca_file: "${certificate("ca.pem")}", verify: true`),
    run: async (session) => {
      const ca = ["--tlsca", certificate("ca.pem")];
      return [
        await session.nats(...ca, ...clientPair("client"), "pub", "x", "y"),
        await session.nats(...ca, ...clientPair("stranger"), "pub", "x", "y"),
        await session.nats(...ca, "pub", "x", "y"),
      ];
    },
    expected: [ok, { code: 1 }, { code: 1 }],
  },
  {
    name: "TLS first",
    config: () => tlsConfig("handshake_first: true"),
    run: async (session) => [await session.nats("--tlsca", certificate("ca.pem"), "--tlsfirst", "pub", "x", "y")],
    expected: [ok],
  },
];

/** Whether a command failed at TLS: its text depends on which of two ends noticed first. */
const failedAtTls = ({ code, stderr }: Outcome): boolean => code === 1 && /tls:|EOF|reset by peer|broken pipe/.test(stderr);

for (const scenario of hasCli ? scenarios : []) {
  test(scenario.name, async () => {
    const setup = { config: scenario.config?.(), files: scenario.files };
    const all: (readonly Outcome[])[] = [];
    for (const binary of binaries) all.push(await scenario.run(await sessionOn(binary, setup)));
    const [ours, theirs = []] = all;

    expect(ours.map(({ code }) => code)).toEqual(scenario.expected.map(({ code }) => code));
    for (const [index, { text }] of scenario.expected.entries()) if (text !== undefined) expect(ours[index].stdout + ours[index].stderr).toMatch(text);
    for (const [index, their] of theirs.entries()) {
      const our = ours[index];
      expect(our.code).toBe(their.code);
      if (failedAtTls(our) && failedAtTls(their)) continue;
      expect([shape(our.stdout), shape(our.stderr)]).toEqual([shape(their.stdout), shape(their.stderr)]);
    }
  });
}

if (hasCli) {
  test("a hash made by server passwd logs in", async () => {
    const password = "a long pass phrase of some words 42";
    const { code, stdout } = await runCli(["server", "passwd", "--pass", password, "--cost", "5"]);
    expect(code).toBe(0);
    const hash = /\$2[aby]\$05\$\S{53}/.exec(stdout)?.[0] ?? "";
    expect(hash).toHaveLength(60);
    for (const binary of binaries) {
      const session = await sessionOn(binary, { config: `authorization { users: [ { user: alice, password: "${hash}" } ] }` });
      expect((await session.nats("--user", "alice", "--password", password, "pub", "x", "y")).code).toBe(0);
      expect((await session.nats("--user", "alice", "--password", "guess", "pub", "x", "y")).code).toBe(1);
    }
  });
}
