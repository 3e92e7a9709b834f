/** Templates of scoped signing keys: the rules of the specification, one by one. */
import { expect, test } from "bun:test";
import { applyTemplate, decodeAccount, decodeUser } from "../../src/jwt/index.ts";
import { accountToken, keyNamed, userToken } from "../support/jwt.ts";

const [operator, account, user] = [keyNamed("operator", "O"), keyNamed("account", "acc"), keyNamed("user", "bob")];
const claims = decodeUser(userToken(user, account, { issuer_account: account.publicKey }, { tags: ["dept:a", "dept:b", "one:1"] }));
const of = decodeAccount(accountToken(account, operator, {}, { tags: ["reg:eu", "reg:us"] }));

function expand(allow: readonly string[], deny: readonly string[] = []): { readonly allow: readonly string[]; readonly deny: readonly string[] } {
  const none = { allow: [], deny: [] };
  return applyTemplate({ publish: { allow, deny }, subscribe: none, responses: undefined }, claims, of).publish;
}

test("names, keys and tags", () => {
  expect(expand(["n.{{name()}}", "s.{{ Subject() }}", "{{account-name()}}.{{account-subject()}}", "plain q"].slice(0, 3)).allow).toEqual(["n.bob", `s.${user.publicKey}`, `acc.${account.publicKey}`]);
});

test("several values multiply, the last varying fastest", () => {
  expect(expand(["t.{{tag(dept)}}.{{account-tag(reg)}}"]).allow).toEqual(["t.a.eu", "t.a.us", "t.b.eu", "t.b.us"]);
});

test("a list without placeholders is used as it is", () => {
  expect(expand(["a b", "x..y"]).allow).toEqual(["a b", "x..y"]);
});

test("a missing tag: dropped from what is allowed, refused in what is denied", () => {
  expect(expand(["x", "a.{{tag(none)}}"])).toEqual({ allow: ["x"], deny: [] });
  expect(() => expand([], ["a.{{tag(none)}}"])).toThrow('generated invalid subject "a.{{tag(none)}}": "tag(none)" is not defined');
});

test("when nothing is left to allow, all is denied", () => {
  expect(expand(["a.{{tag(none)}}"], ["d"])).toEqual({ allow: [], deny: ["d", ">"] });
});

test("a subject with a queue beside placeholders", () => {
  expect(expand(["a b", "{{name()}}"]).allow).toEqual(["bob"]);
  expect(() => expand([], ["a b", "{{name()}}"])).toThrow("generated invalid subject");
});

test("an unknown operation, and too many subjects", () => {
  expect(() => expand(["{{what()}}"])).toThrow('"what()" is not defined');
  expect(expand([Array.from({ length: 12 }, () => "{{tag(dept)}}").join(".")]).allow).toHaveLength(4096);
  expect(() => expand([Array.from({ length: 13 }, () => "{{tag(dept)}}").join(".")])).toThrow("template expansion exceeds limit: 4096");
});
