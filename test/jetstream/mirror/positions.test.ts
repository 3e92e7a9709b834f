/** Where sources stand after a restart: the file, brought up to date by what was stored after it, or the stream alone. */
import { expect, test } from "bun:test";
import { PositionSearch } from "../../../src/jetstream/mirror/positions.ts";
import type { SourcePosition } from "../../../src/jetstream/mirror/names.ts";
import { DamagedFileError, type SourcedStream } from "../../../src/jetstream/seams.ts";
import { Origin } from "./origin.ts";

const FILE = "sources.json";
const sources = [{ name: "A" }, { name: "B", filter_subject: "b.*" }];

/** A stream that holds messages with these headers (none for its own), and a file. */
function streamWith(headers: readonly string[], file: Buffer | Error | undefined): { readonly origin: Origin; readonly stream: SourcedStream; readonly logged: string[] } {
  const origin = new Origin();
  const logged: string[] = [];
  for (const value of headers) {
    const header = Buffer.from(value === "" ? "" : `NATS/1.0\r\nMine: x\r\nNats-Stream-Source: ${value}\r\n\r\n`, "latin1");
    origin.store.append({ subject: "s", seconds: 1, nanos: 0, headerBytes: header, headerStart: 0, headerEnd: header.length, bodyBytes: header, bodyStart: 0, bodyEnd: 0, marks: 0 });
  }
  origin.store.flush();
  const read = (): Buffer | undefined => {
    if (file instanceof Error) throw file;
    return file;
  };
  const account = { ...origin.account, context: { ...origin.account.context, log: { info: () => {}, warn: (line: string) => logged.push(line) } } };
  const stream = { account, config: { name: "S" }, store: origin.store, files: { read }, positionsFile: FILE } as unknown as SourcedStream;
  return { origin, stream, logged };
}

async function search(headers: readonly string[], file: Buffer | Error | undefined): Promise<{ readonly found: Record<string, SourcePosition>; readonly logged: string[] }> {
  const { origin, stream, logged } = streamWith(headers, file);
  let found: ReadonlyMap<string, SourcePosition> | undefined;
  new PositionSearch(stream, sources, (positions) => (found = positions)).start();
  await origin.clock.advance(1000);
  if (found === undefined) throw new Error("the search does not end");
  return { found: Object.fromEntries(found), logged };
}

const saved = (lastSeq: number, seq: number): Buffer => Buffer.from(JSON.stringify({ last_seq: lastSeq, positions: [{ index: "A > >", seq, identity: "aaaaaaaa" }] }));

test("without a file the newest message of each source counts", async () => {
  const { found } = await search(["A 1 > > a x", "B 4 b.* > b.1 y", "A 2 > > a x", "", "A 7 other > a x"], undefined);
  expect(found).toEqual({ "A > >": { seq: 2, identity: "x" }, "B b.* >": { seq: 4, identity: "y" } });
});

test("headers of earlier servers name only the stream", async () => {
  const { found } = await search(["A 1", "$JS.ACK.B.C.1.9.3.1700000000000000000.0"], undefined);
  expect(found).toMatchObject({ "A > >": { seq: 1 }, "B b.* >": { seq: 9 } });
});

test("the file counts for what was stored before it, also where nothing is stored any more", async () => {
  const { found } = await search(["B 3 b.* > b.1", ""], saved(2, 90));
  expect(found).toEqual({ "A > >": { seq: 90, identity: "aaaaaaaa" } });
});

test("what was stored after the file counts more", async () => {
  const { found } = await search(["A 1 > > a", "A 95 > > a"], saved(1, 90));
  expect(found["A > >"]?.seq).toBe(95);
});

test("a file that knows more than the stream holds is not trusted", async () => {
  const { found } = await search(["A 1 > > a"], saved(2, 90));
  expect(found["A > >"]?.seq).toBe(1);
});

test("a damaged file is told of, and the stream read instead", async () => {
  for (const file of [new DamagedFileError(FILE, "bad checksum"), Buffer.from("{nonsense")]) {
    const { found, logged } = await search(["A 6 > > a"], file);
    expect(found["A > >"]?.seq).toBe(6);
    expect(logged).toHaveLength(1);
  }
});

test("a search that is stopped says nothing", async () => {
  const { origin, stream } = streamWith([], undefined);
  const search = new PositionSearch(stream, sources, () => expect.unreachable());
  search.stop();
  search.flush();
  await origin.clock.advance(1000);
  expect(origin.clock.pendingTimers).toBe(0);
});
