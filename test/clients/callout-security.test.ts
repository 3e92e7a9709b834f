/** Answers to an auth callout that must let nobody in, however good they look. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { poll } from "../support/deadline.ts";
import { allow, type CalloutRequest, type Decision } from "./callout-service.ts";
import { curve, endSession, issuer, join, refused, service, start, stranger, warnings } from "./callout-session.ts";
import { binaries } from "./cli-session.ts";

setDefaultTimeout(30_000);
afterEach(endSession);

const config = (more = ""): string => `
  accounts { AUTH: { users: [ { user: auth, password: auth } ] }, APP: {}, SYS: { users: [ { user: sys, password: sys } ] } }
  system_account: SYS
  authorization { timeout: 1, auth_callout { issuer: ${issuer.publicKey}, account: AUTH, auth_users: [ auth, sys ] ${more} } }`;

/** The user's token that an answer carries. */
function userIn(decision: Decision): string {
  if (decision === undefined || !("response" in decision)) throw new Error("an answer without a token");
  const claims = JSON.parse(Buffer.from(decision.response.split(".")[1] ?? "", "base64url").toString("utf8")) as { nats: { jwt: string } };
  return claims.nats.jwt;
}

for (const [index, binary] of binaries.entries()) {
  describe(index === 0 ? "our server" : "the reference", () => {
    test("an answer that let somebody in lets nobody else in, not even the same user again", async () => {
      const running = await start(binary, config());
      let first: Decision;
      await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => (first ??= allow(request, issuer, { aud: "APP" })));
      await join(running, { user: "alice" });
      await refused(running, { user: "alice" });
      await refused(running, { user: "mallory" });
      await poll(2000, "a warning for each", () => (warnings(running).length >= 2 ? true : undefined));
      expect(warnings(running)).toEqual(["Auth callout violation: auth callout response is not for expected user", "Auth callout violation: auth callout response is not for expected user"]);
    });

    test("an answer that another server was given", async () => {
      const elsewhere = await start(binary, config());
      let request: CalloutRequest | undefined;
      await service(elsewhere, { user: "auth", pass: "auth" }, { issuer }, (asked) => void (request = asked));
      await refused(elsewhere, { user: "alice" });
      await endSession();
      const running = await start(binary, config());
      await service(running, { user: "auth", pass: "auth" }, { issuer }, () => (request === undefined ? undefined : allow(request, issuer, { aud: "APP" })));
      await refused(running, { user: "alice" });
      await poll(2000, "a warning", () => (warnings(running).length > 0 ? true : undefined));
      expect(request).toBeDefined();
    });

    test("a user's token that somebody else signed, inside an answer of the issuer", async () => {
      const running = await start(binary, config());
      await service(running, { user: "auth", pass: "auth" }, { issuer }, (request) => {
        return allow(request, issuer, {}, { nats: { jwt: userIn(allow(request, stranger, { aud: "APP" })) } });
      });
      await refused(running, { user: "alice" });
    });
  });
}

test("a sealed answer of somebody who has the service's curve key, and not the issuer's", async () => {
  // The reference takes it: there whoever can seal is believed.
  const [ours = ""] = binaries;
  const running = await start(ours, config(`, xkey: ${curve.publicKey}`));
  await service(running, { user: "auth", pass: "auth" }, { issuer: stranger, curve }, (request) => {
    return allow(request, stranger, {}, { nats: { jwt: userIn(allow(request, issuer, { aud: "APP" })) } });
  });
  await refused(running, { user: "alice" });
  await poll(2000, "a warning", () => (warnings(running).length > 0 ? true : undefined));
  expect(warnings(running)).toEqual(["Auth callout signing key is unknown"]);
});
