/** Names that other servers read and write, against values of the reference. */
import { expect, test } from "bun:test";
import { Message } from "../../../src/routing/index.ts";
import { AckReply } from "../../../src/jetstream/mirror/ackreply.ts";
import { mirrorConsumerName, parseSourceHeader, shortHash, SourceHeader, sourceConsumerName, sourceIndex } from "../../../src/jetstream/mirror/names.ts";

test("consumers are named by a hash of who copies", () => {
  expect(mirrorConsumerName({ stream: "M", account: "$G", domain: "" })).toBe("JS_MIRROR_ih8eMwqr");
  expect(mirrorConsumerName({ stream: "MF", account: "$G", domain: "" })).toBe("JS_MIRROR_83kMrXkp");
  expect(mirrorConsumerName({ stream: "M", account: "$G", domain: "D" })).not.toBe("JS_MIRROR_ih8eMwqr");
  expect(sourceConsumerName({ stream: "S", account: "$G", domain: "" }, { name: "O" }, false)).toBe("JS_SRC_N6lXlrSF");
  expect(sourceConsumerName({ stream: "SR", account: "$G", domain: "" }, { name: "O", filter_subject: "o.1" }, true)).toBe("JS_SRC_3ziaMLjY");
  expect(sourceConsumerName({ stream: "S2", account: "$G", domain: "" }, { name: "O", subject_transforms: [{ src: "o.2", dest: "zz.2" }] }, true)).toBe("JS_SRC_Y673YvR1");
});

test("a source is known by its origin, filters and destinations", () => {
  expect(sourceIndex({ name: "O" })).toBe("O > >");
  expect(sourceIndex({ name: "O", filter_subject: "o.1" })).toBe("O o.1 >");
  expect(sourceIndex({ name: "O", subject_transforms: [{ src: "a", dest: "b" }, { src: "c", dest: "" }] })).toBe("O a\fc b\f>");
  expect(sourceIndex({ name: "O", external: { api: "$JS.hub.API", deliver: "" } })).toBe(`O:${shortHash("$JS.hub.API")} > >`);
  expect(sourceIndex({ name: "O", consumer: { name: "C", deliver_subject: "d" } })).toBe(`O:C=${shortHash("C")} > >`);
});

test("the header tells everything, and is read back", () => {
  const source = { name: "O", subject_transforms: [{ src: "o.2", dest: "zz.2" }] };
  const value = new SourceHeader(source).value(3, "o.2", "WUWtGsNY");
  expect(value).toBe("O 3 o.2 zz.2 o.2 WUWtGsNY");
  expect(parseSourceHeader(value)).toEqual({ index: sourceIndex(source), seq: 3, identity: "WUWtGsNY", isNameOnly: false });
  expect(parseSourceHeader("O 3 > > o.2")).toEqual({ index: "O > >", seq: 3, identity: "", isNameOnly: false });
});

test("earlier forms of the header are read", () => {
  expect(parseSourceHeader("O 17")).toEqual({ index: "O", seq: 17, identity: "", isNameOnly: true });
  expect(parseSourceHeader("$JS.ACK.O.C.1.17.3.1700000000000000000.0")).toEqual({ index: "O", seq: 17, identity: "", isNameOnly: true });
  expect(parseSourceHeader("$JS.ACK.D.hash.O.C.1.17.3.1700000000000000000.0.x")).toMatchObject({ index: "O", seq: 17 });
  for (const bad of ["", "O", "O x", "$JS.ACK.O"]) expect(parseSourceHeader(bad)).toBeUndefined();
});

function withReply(text: string): Message {
  const message = new Message();
  message.buffer = Buffer.from(`xx${text}yy`, "latin1");
  message.replyStart = 2;
  message.replyEnd = 2 + text.length;
  return message;
}

test("replies of deliveries are read in all their forms", () => {
  const reply = new AckReply();
  for (const prefix of ["$JS.ACK.O.JS_C", "$JS.ACK.dom.hash.O.JS_C"]) {
    const message = withReply(`${prefix}.2.17.3.1700000000000000042.9`);
    expect(reply.read(message)).toBe(true);
    expect(reply).toMatchObject({ deliveries: 2, streamSeq: 17, consumerSeq: 3, seconds: 1_700_000_000, nanos: 42, pending: 9 });
    expect(reply.isFrom("JS_C", message.buffer)).toBe(true);
    expect(reply.isFrom("JS_D", message.buffer)).toBe(false);
    expect(reply.isFrom("JS_C2", message.buffer)).toBe(false);
  }
  expect(reply.read(withReply("$JS.ACK.dom.hash.O.JS_C.2.17.3.1700000000000000042.9.random"))).toBe(true);
  for (const bad of ["", "_INBOX.1", "$JS.ACK.O.C.1.x.3.17.0", "$JS.ACK.O.C.1.2.3.17", "$JS.FC.O.C.xyz", "a.b.c.d.e.f.g.h.i.j.k.l.m"]) expect(reply.read(withReply(bad))).toBe(false);
});
