/** The book of accounts: when a resolver is asked, how often, and what becomes of an account whose time is over. */
import { describe, expect, test } from "bun:test";
import { AccountBook, type Resolver, ResolverError, Trust } from "../../../src/auth/operator/index.ts";
import type { AccountClaims } from "../../../src/jwt/index.ts";
import type { Logger } from "../../../src/log/index.ts";
import { VirtualClock } from "../../sim/clock.ts";
import { SeededRandom } from "../../sim/random.ts";
import { accountToken, keyNamed, type Named, operatorToken } from "../../support/jwt.ts";
import { decodeOperator } from "../../../src/jwt/index.ts";

const operator = keyNamed("operator", "O");
const [a, b] = [keyNamed("account", "A"), keyNamed("account", "B")];

/** Answers when it is told to. */
class SlowResolver implements Resolver {
  readonly asked: string[] = [];
  readonly tokens = new Map<string, string>();
  #waiting: (() => void)[] = [];

  constructor(private readonly slow = true) {}

  fetch(account: string): string | Promise<string> {
    this.asked.push(account);
    const answer = (): string => {
      const token = this.tokens.get(account);
      if (token === undefined) throw new ResolverError("account missing");
      return token;
    };
    if (!this.slow) return answer();
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(answer());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  answer(): void {
    for (const each of this.#waiting.splice(0)) each();
  }
}

function world(resolver: Resolver) {
  const clock = new VirtualClock(new SeededRandom(1));
  const entered: (readonly [string, boolean])[] = [];
  const expired: string[] = [];
  const said: string[] = [];
  const log = { debug: (text: string) => said.push(text), warn: (text: string) => said.push(text) } as unknown as Logger;
  const book = new AccountBook(
    { clock, log, entered: (now: AccountClaims, before) => void entered.push([now.name, before !== undefined]), expired: ({ name }) => void expired.push(name) },
    resolver,
    new Trust({ operators: [decodeOperator(operatorToken(operator))], trustedKeys: [] }),
  );
  return { clock, book, entered, expired, said };
}

const token = (account: Named, nats = {}, extra = {}): string => accountToken(account, operator, nats, extra);

describe("loading", () => {
  test("asks once, however many wait", async () => {
    const resolver = new SlowResolver();
    resolver.tokens.set(a.publicKey, token(a));
    const { book, entered } = world(resolver);
    const loads = Promise.all([book.load(a.publicKey), book.load(a.publicKey), book.load(a.publicKey)]);
    resolver.answer();
    expect((await loads).map(({ ok }) => ok)).toEqual([true, true, true]);
    expect(resolver.asked.length).toBe(1);
    expect(entered).toEqual([["A", false]]);
    expect(book.load(a.publicKey)).not.toBeInstanceOf(Promise);
  });

  test("asks again after a failure", async () => {
    const resolver = new SlowResolver();
    const { book, said } = world(resolver);
    const first = book.load(a.publicKey);
    resolver.answer();
    expect(await first).toEqual({ ok: false, problem: "account missing" });
    expect(said).toEqual(["Account fetch failed: account missing"]);
    resolver.tokens.set(a.publicKey, token(a));
    const second = book.load(a.publicKey);
    resolver.answer();
    expect((await second).ok).toBe(true);
  });

  test("never asks for what is no account", async () => {
    const resolver = new SlowResolver(false);
    const { book } = world(resolver);
    expect(await book.load("../../etc/passwd")).toEqual({ ok: false, problem: "will only fetch valid account keys" });
    expect(resolver.asked).toEqual([]);
  });

  test("takes no token of another operator, and none of another account", async () => {
    const resolver = new SlowResolver(false);
    resolver.tokens.set(a.publicKey, accountToken(a, keyNamed("operator", "P")));
    resolver.tokens.set(b.publicKey, token(a));
    const { book } = world(resolver);
    expect(await book.load(a.publicKey)).toEqual({ ok: false, problem: "account validation failed" });
    expect(await book.load(b.publicKey)).toEqual({ ok: false, problem: "account validation failed" });
  });

  test("brings along what is imported, in circles too", async () => {
    const resolver = new SlowResolver(false);
    const wants = (from: Named): object => ({ imports: [{ name: "i", subject: "s", account: from.publicKey, type: "stream" }], exports: [{ subject: "s", type: "stream" }] });
    resolver.tokens.set(a.publicKey, token(a, wants(b)));
    resolver.tokens.set(b.publicKey, token(b, wants(a)));
    const { book, entered } = world(resolver);
    expect((await book.load(a.publicKey)).ok).toBe(true);
    expect(entered.map(([name]) => name).sort()).toEqual(["A", "B"]);
  });
});

describe("time", () => {
  test("an account that is over is asked for again, once a second at most", async () => {
    const resolver = new SlowResolver(false);
    const { clock, book, expired } = world(resolver);
    resolver.tokens.set(a.publicKey, token(a, {}, { exp: book.nowS + 10 }));
    expect(await book.load(a.publicKey)).toMatchObject({ ok: true, isExpired: false });
    await clock.advance(10_500);
    expect(expired).toEqual(["A"]);
    for (let tries = 0; tries < 50; tries++) expect(await book.load(a.publicKey)).toMatchObject({ ok: true, isExpired: true });
    expect(resolver.asked.length).toBeLessThanOrEqual(2);
    resolver.tokens.set(a.publicKey, token(a, {}, { exp: book.nowS + 100 }));
    await clock.advance(1100);
    expect(await book.load(a.publicKey)).toMatchObject({ ok: true, isExpired: false });
  });

  test("an end that is far away comes all the same", async () => {
    const resolver = new SlowResolver(false);
    const { clock, book, expired } = world(resolver);
    resolver.tokens.set(a.publicKey, token(a, {}, { exp: book.nowS + 40 * 86_400 }));
    await book.load(a.publicKey);
    await clock.advance(39 * 86_400_000);
    expect(expired).toEqual([]);
    await clock.advance(2 * 86_400_000);
    expect(expired).toEqual(["A"]);
  });

  test("an update renews an account, and its old end does not come", async () => {
    const resolver = new SlowResolver(false);
    const { clock, book, expired, entered } = world(resolver);
    resolver.tokens.set(a.publicKey, token(a, {}, { exp: book.nowS + 10 }));
    await book.load(a.publicKey);
    expect(await book.update(a.publicKey, token(a))).toBeUndefined();
    await clock.advance(60_000);
    expect(expired).toEqual([]);
    expect(entered).toEqual([["A", false], ["A", true]]);
  });

  test("an update that is no good changes nothing", async () => {
    const resolver = new SlowResolver(false);
    const { book } = world(resolver);
    resolver.tokens.set(a.publicKey, token(a));
    await book.load(a.publicKey);
    const before = book.claims(a.publicKey);
    await book.update(a.publicKey, accountToken(a, keyNamed("operator", "P")));
    expect(book.claims(a.publicKey)).toBe(before as AccountClaims);
  });
});
