/** The server's own subscribers: what they are handed, what they publish, and how nobody taking a message is told. */
import { expect, test } from "bun:test";
import { Account } from "../../src/accounts/index.ts";
import { InternalLink } from "../../src/links/internal/index.ts";
import { Delivery, type Message, type SeenSubject, type Subscriber, Subscription } from "../../src/routing/index.ts";

interface Seen {
  readonly subject: string;
  readonly reply: string;
  readonly header: string;
  readonly payload: string;
  /** From the subject's end to the last CR LF, as a link copies it to its peer. */
  readonly wire: string;
}

function seen(message: Message, subject: string): Seen {
  const { buffer, bodyStart, bodyEnd, headerLength, tailStart } = message;
  return {
    subject,
    reply: message.reply(),
    header: buffer.latin1Slice(bodyStart, bodyStart + headerLength),
    payload: buffer.latin1Slice(bodyStart + headerLength, bodyEnd),
    wire: buffer.latin1Slice(tailStart, bodyEnd + 2),
  };
}

class Receiver implements Subscriber {
  readonly messages: Seen[] = [];

  deliver(_subscription: Subscription, message: Message, { subject, bytes }: SeenSubject): Delivery {
    expect(bytes.latin1Slice()).toBe(subject);
    this.messages.push(seen(message, subject));
    return Delivery.Delivered;
  }

  judge(): Delivery {
    return Delivery.Delivered;
  }

  describe(): { readonly kind: number; readonly cid: number } {
    return { kind: 0, cid: 1 };
  }
}

function setUp() {
  const account = new Account("A", false);
  const link = new InternalLink(account, 5, "TEST");
  const receiver = new Receiver();
  account.interest.insert(new Subscription(receiver, "in.*", "", "1"));
  return { account, link, receiver };
}

test("publishes with and without reply and headers", () => {
  const { link, receiver } = setUp();
  expect(link.publish("in.a", "", "", "hello")).toBe(1);
  expect(link.publish("in.b", "back", "NATS/1.0 100\r\n\r\n", new Uint8Array([1, 2]))).toBe(1);
  expect(link.publish("out", "", "", "nobody")).toBe(0);
  expect(receiver.messages).toEqual([
    { subject: "in.a", reply: "", header: "", payload: "hello", wire: " 5\r\nhello\r\n" },
    { subject: "in.b", reply: "back", header: "NATS/1.0 100\r\n\r\n", payload: "\x01\x02", wire: " back 16 18\r\nNATS/1.0 100\r\n\r\n\x01\x02\r\n" },
  ]);
});

test("forwards a stored message under its own subject, with lines added to its headers", () => {
  const { account, link, receiver } = setUp();
  const inbox = account.interest.findSubject("in.box");
  const bytes = Buffer.from("NATS/1.0\r\nA: b\r\n\r\nbody");
  const body = 18;
  link.forward(inbox, "orders.new", "ack", "", bytes, 0, body, bytes.length);
  link.forward(inbox, "orders.new", "ack", "Size: 4\r\n", bytes, 0, body, bytes.length);
  link.forward(inbox, "orders.new", "", "Size: 4\r\n", bytes, body, body, bytes.length);
  link.forward(inbox, "orders.new", "", "", bytes, body, body, bytes.length);
  expect(receiver.messages.map(({ subject, header, payload }) => [subject, header, payload])).toEqual([
    ["orders.new", "NATS/1.0\r\nA: b\r\n\r\n", "body"],
    ["orders.new", "NATS/1.0\r\nA: b\r\nSize: 4\r\n\r\n", "body"],
    ["orders.new", "NATS/1.0\r\nSize: 4\r\n\r\n", "body"],
    ["orders.new", "", "body"],
  ]);
  expect(receiver.messages.map(({ wire }) => wire.slice(0, wire.indexOf("\r\n")))).toEqual([" ack 18 22", " ack 27 31", " 21 25", " 4"]);
});

test("a handler that does not take a message counts as nobody", () => {
  const { link } = setUp();
  const taken: string[] = [];
  link.subscribe("work.>", (_message, subject) => {
    taken.push(subject);
    return subject !== "work.refused";
  });
  expect([link.publish("work.a", "", "", ""), link.publish("work.refused", "", "", "")]).toEqual([1, 0]);
  expect(taken).toEqual(["work.a", "work.refused"]);
});

test("a publication within a publication leaves the outer message as it was", () => {
  const { account, link, receiver } = setUp();
  link.subscribe("outer", () => {
    link.publish("in.inner", "", "", "x".repeat(3000));
    return true;
  });
  account.interest.insert(new Subscription(receiver, "outer", "", "2"));
  link.publish("outer", "reply", "", "outer payload");
  expect(receiver.messages.map(({ subject, reply, payload }) => [subject, reply, payload.length])).toEqual([
    ["in.inner", "", 3000],
    ["outer", "reply", 13],
  ]);
});

test("messages of any size arrive whole", () => {
  const { link, receiver } = setUp();
  for (const size of [0, 1, 4000, 5000, 300_000, 10]) link.publish("in.size", "r", "", Buffer.alloc(size, 65));
  expect(receiver.messages.map(({ payload }) => payload.length)).toEqual([0, 1, 4000, 5000, 300_000, 10]);
});

test("watchers hear of literal subscriptions, and of nothing else", () => {
  const { account, link } = setUp();
  let changes = 0;
  const stop = account.interest.watch("deliver.me", () => changes++);
  const one = link.subscribe("deliver.me", () => true);
  const group = link.subscribe("deliver.me", () => true, "group");
  link.subscribe("deliver.*", () => true);
  expect([changes, account.interest.hasLiteral("deliver.me", ""), account.interest.hasLiteral("deliver.me", "group"), account.interest.hasLiteral("deliver.me", "other")]).toEqual([2, true, true, false]);
  link.unsubscribe(one);
  link.unsubscribe(one);
  expect([changes, account.interest.hasLiteral("deliver.me", ""), account.interest.hasLiteral("deliver.me", "group")]).toEqual([3, false, true]);
  stop();
  link.unsubscribe(group);
  expect([changes, account.interest.hasLiteral("deliver.me", "group")]).toEqual([3, false]);
  link.close();
  expect(link.hasInterest("deliver.x")).toBe(false);
});
