/** Distinguished names: text and DER forms, and how certificates find their user. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { matchCertificate } from "../../src/auth/certificate.ts";
import { certificateNames } from "../../src/auth/certificate.ts";
import { domainComponents, equalNames, nameText, parseTextName, samePartsOfNames } from "../../src/auth/distinguishedname.ts";

const CN = "2.5.4.3";
const O = "2.5.4.10";
const OU = "2.5.4.11";
const DC = "0.9.2342.19200300.100.1.25";

describe("names", () => {
  test("text is parsed with escapes, several values and any case of types", () => {
    expect(parseTextName("CN=a\\, b+ou=x, O = Synadia ")).toEqual([
      [
        { type: CN, value: "a, b" },
        { type: OU, value: "x" },
      ],
      [{ type: O, value: "Synadia" }],
    ]);
    expect(parseTextName("CN=\\C3\\A9")).toEqual([[{ type: CN, value: "é" }]]);
    for (const bad of ["", "user", "XX=1", "CN=#0101", "=a"]) expect([bad, parseTextName(bad)]).toEqual([bad, undefined]);
  });

  test("order matters first, then only the parts", () => {
    const a = parseTextName("CN=x,OU=y,O=z") ?? [];
    const b = parseTextName("O=z,CN=x,OU=y") ?? [];
    expect([equalNames(a, a), equalNames(a, b), samePartsOfNames(a, b)]).toEqual([true, false, true]);
  });

  test("a certificate's subject is printed re-grouped", () => {
    const subject = [[{ type: DC, value: "com" }], [{ type: DC, value: "example" }], [{ type: O, value: "Syn, Inc" }], [{ type: OU, value: "NATS.io" }], [{ type: CN, value: "example.com" }]];
    expect(nameText(subject)).toBe("CN=example.com,OU=NATS.io,O=Syn\\, Inc");
    expect(domainComponents(subject)).toBe("DC=com,DC=example");
  });

  test("any text is judged without an exception, and what parses is stable", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.constantFrom("CN=a\\", "CN=a\\z", "+", ",", "CN=a,")), (text) => parseTextName(text) === undefined || Array.isArray(parseTextName(text))));
  });
});

describe("finding the user of a certificate", () => {
  const names = { emails: ["derek@nats.io"], dnsNames: ["a.test"], uris: ["spiffe://a/b"], subject: [[{ type: O, value: "Syn" }], [{ type: CN, value: "cli" }]] };
  const find = (...users: string[]): string | undefined => matchCertificate(names, (name) => users.includes(name), users)?.user;

  test("emails come before DNS names, URIs and the subject", () => {
    expect(find("CN=cli,O=Syn", "spiffe://a/b", "a.test", "derek@nats.io")).toBe("derek@nats.io");
    expect(find("CN=cli,O=Syn", "spiffe://a/b", "a.test")).toBe("a.test");
    expect(find("CN=cli,O=Syn", "spiffe://a/b")).toBe("spiffe://a/b");
    expect(find("CN=cli,O=Syn")).toBe("CN=cli,O=Syn");
  });

  test("a name in another order is found when none is in this one", () => {
    expect(find("O=Syn,CN=cli")).toBe("O=Syn,CN=cli");
    expect(find("O=Syn,CN=other")).toBeUndefined();
  });

  test("mangled certificates are refused, never an exception", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => certificateNames(Uint8Array.from([0x30, 0x82, 0x01, 0x00, ...bytes])) === undefined || true));
    expect(certificateNames(Uint8Array.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff]))).toBeUndefined();
  });
});
