/** Transforms: the verified examples and the error texts of the specification, and even spreading by weight. */
import { describe, expect, test } from "bun:test";
import { SubjectMapper } from "../../src/routing/mapping.ts";
import { SubjectTransform, TransformError } from "../../src/routing/transform.ts";

const zero = (): number => 0;

function apply(source: string, destination: string, subject: string): string {
  return SubjectTransform.compile(source, destination).apply(subject, zero);
}

describe("transforms", () => {
  test.each([
    ["p.*.*", "{{partition(10,1,2)}}", "p.foo.bar", "0"],
    ["p.*.*", "{{partition(10,1,2)}}", "p.a.b", "6"],
    ["pa.*.*", "{{partition(10)}}", "pa.foo.bar", "9"],
    ["lit", "{{partition(5)}}", "lit", "1"],
    ["a.*", "{{splitFromLeft(1,3)}}", "a.12345", "123.45"],
    ["a.*", "{{SplitFromRight(1,3)}}", "a.12345", "12.345"],
    ["a.*", "{{sliceFromLeft(1,3)}}", "a.12345678", "123.456.78"],
    ["a.*", "{{slicefromright(1,3)}}", "a.12345678", "12.345.678"],
    ["a.*", "{{split(1,-)}}", "a.-abc-def--ghi-", "abc.def.ghi"],
    ["fw.*.>", "FW.$1.x.>", "fw.a.b.c", "FW.a.x.b.c"],
    ["a.*.*", "b.$2.$1", "a.1.2", "b.2.1"],
    ["a.*", "b.{{ wildcard ( 1 ) }}", "a.x", "b.x"],
    ["a.*", "b.x{{wildcard(1)}}", "a.x", "b.x{{wildcard(1)}}"],
    ["a.*", "$SYS.$1", "a.x", "$SYS.x"],
    ["a.*", "{{left(1,2)}}", "a.xyz", "xy"],
    ["a.*", "{{right(1,2)}}", "a.xyz", "yz"],
    ["a.*", "{{left(1,9)}}", "a.xyz", "xyz"],
    ["a.*", "c.{{random(0)}}", "a.xyz", "c.0"],
    ["a", "b", "a", "b"],
  ])("%s to %s: %s gives %s", (source, destination, subject, expected) => {
    expect(apply(source, destination, subject)).toBe(expected);
  });

  test.each([
    ["a.*", "b.$2", "invalid mapping destination: wildcard index out of range in $2: [2]"],
    ["a.*", "{{wildcard()}}", "invalid mapping destination: not enough arguments passed to the function in {{wildcard()}}"],
    ["a.*", "{{wildcard(1,2)}}", "invalid mapping destination: too many arguments passed to the function in {{wildcard(1,2)}}"],
    ["a.*", "{{what(1)}}", "invalid mapping destination: unknown function in {{what(1)}}"],
    ["a.*", "{{partition()}}", "invalid mapping destination: function argument is invalid or in the wrong format in {{partition()}}"],
    ["a.*", "b.*", "invalid subject"],
    ["a.*", "b.>", "invalid subject"],
    ["a.>", "b", "invalid subject"],
  ])("%s to %s is refused", (source, destination, message) => {
    expect(() => SubjectTransform.compile(source, destination)).toThrow(new TransformError(message));
  });

  test("import transforms must use every wildcard and nothing but wildcards", () => {
    const strict = { strict: true };
    expect(() => SubjectTransform.compile("a.*.*", "b.$1", strict)).toThrow("not using all of the token wildcard(s)");
    expect(() => SubjectTransform.compile("a.*", "b.{{left(1,1)}}", strict)).toThrow("the only mapping function allowed for import transforms is {{Wildcard()}}");
    expect(SubjectTransform.compile("a.*.*", "b.$2.$1", strict).apply("a.1.2", zero)).toBe("b.2.1");
  });

  test("weights are drawn as configured, and what they leave is lost", () => {
    const destinations = [
      { transform: SubjectTransform.compile("s", "x"), weight: 70 },
      { transform: SubjectTransform.compile("s", "y"), weight: 20 },
    ];
    let draw = 0;
    const mapper = new SubjectMapper([{ source: "s", destinations }], () => draw++ % 100);
    const counts = new Map<string | undefined, number>();
    for (let i = 0; i < 1000; i++) {
      const mapped = mapper.map("s");
      counts.set(mapped, (counts.get(mapped) ?? 0) + 1);
    }
    expect([...counts]).toEqual([["x", 700], ["y", 200], [undefined, 100]]);
    expect(mapper.map("other")).toBe("other");
  });
});
