/** Shadow subscriptions of stream imports, against a model that asks of every message whether the importer's subscription matches its local subject. */
import { expect, test } from "bun:test";
import { shadowSubject } from "../../src/accounts/index.ts";
import { type ImportOptions, type ImportRoute, routeOf } from "../../src/config/index.ts";
import { subjectMatches } from "../../src/routing/index.ts";

function route(subject: string, to: string): ImportRoute {
  const options: ImportOptions = { kind: "stream", account: "A", subject, to, prefix: "", share: false, allowTrace: false };
  return routeOf(options);
}

/** All literal subjects of up to `depth` tokens over a small alphabet. */
function literals(depth: number): readonly string[] {
  let last = [""];
  const all: string[] = [];
  for (let i = 0; i < depth; i++) {
    last = last.flatMap((prefix) => ["a", "b", "in"].map((token) => (prefix === "" ? token : `${prefix}.${token}`)));
    all.push(...last);
  }
  return all;
}

function patterns(depth: number): readonly string[] {
  let last = [""];
  const all: string[] = [];
  for (let i = 0; i < depth; i++) {
    const next = (tokens: readonly string[]): string[] => last.flatMap((prefix) => tokens.map((token) => (prefix === "" ? token : `${prefix}.${token}`)));
    all.push(...next([">"]));
    last = next(["a", "in", "*"]);
    all.push(...last);
  }
  return all;
}

const PUBLISHED = literals(4);
const WANTED = patterns(4);

const IMPORTS: readonly (readonly [subject: string, to: string])[] = [
  ["a", ""],
  ["a.b", "in.x"],
  ["a.*", ""],
  [">", ""],
  ["a.>", "in.>"],
  ["a.>", "in.a.>"],
  ["*.>", "in.$1.>"],
  ["*.>", "$1.in.>"],
  ["*", "in.$1"],
  ["*.*", "$2.$1"],
  ["*.*", "in.*.*"],
  ["*.b", "$1.$1"],
  ["*.*.a", "{{wildcard(2)}}.in.$1"],
  ["a.*.*", "$2.a.$1"],
];

test.each(IMPORTS)("an import of %s to %s delivers exactly what a subscription of the importer matches", (subject, to) => {
  const compiled = route(subject, to);
  let crossed = 0;
  for (const wanted of WANTED) {
    const shadow = shadowSubject(compiled, wanted);
    for (const published of PUBLISHED) {
      const local = subjectMatches(published, compiled.source) ? (compiled.transform?.apply(published, () => 0) ?? published) : undefined;
      const expected = local !== undefined && subjectMatches(local, wanted);
      if ((shadow !== undefined && subjectMatches(published, shadow)) !== expected) throw new Error(`${wanted} has shadow ${shadow ?? "none"}; ${published} (${local ?? "not imported"}) should ${expected ? "" : "not "}be delivered`);
      if (expected) crossed++;
    }
  }
  expect(crossed).toBeGreaterThan(0);
});
