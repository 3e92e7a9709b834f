/**
 * Tokens against the outside: the reference server believes those that are written here, and tokens that the `nats` tool made are read here. REQUIRE_REFERENCE=1
 * makes a missing program an error.
 */
import { expect, test } from "bun:test";
import { connect, credsAuthenticator } from "@nats-io/transport-node";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeAccount, decodeOperator, decodeUser, validateAccount, validateOperator, validateUser } from "../../src/jwt/index.ts";
import { accountToken, creds, keyNamed, operatorToken, userToken } from "../support/jwt.ts";
import { ServerProcess } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary.ts";

const reference = process.env["NATS_REFERENCE_SERVER"] ?? "";
const tool = process.env["NATS_CLI"] ?? "";
const isRequired = process.env["REQUIRE_REFERENCE"] === "1";

const [operator, account, signer, user] = [keyNamed("operator", "O"), keyNamed("account", "A"), keyNamed("account", "A signer"), keyNamed("user", "U")];

if (isRequired || existsSync(reference)) {
  test("the reference server believes our tokens", async () => {
    const accounts = `${account.publicKey}: ${accountToken(account, operator, { signing_keys: [signer.publicKey] })}`;
    const server = await ServerProcess.start({ binary: reference, config: `operator: ${operatorToken(operator)}\nresolver: MEM\nresolver_preload: { ${accounts} }` });
    const login = async (token: string): Promise<string> => {
      try {
        const nc = await connect({ servers: `127.0.0.1:${server.ports.nats?.port}`, authenticator: credsAuthenticator(Buffer.from(creds(token, user))), reconnect: false });
        const echo = nc.subscribe("s", { max: 1 });
        nc.publish("s", "heard");
        let heard = "";
        for await (const message of echo) heard = message.string();
        await nc.close();
        return heard;
      } catch (error) {
        return error instanceof Error ? error.name : String(error);
      }
    };
    try {
      const whole = userToken(user, account);
      expect(await login(whole)).toBe("heard");
      expect(await login(userToken(user, signer, { issuer_account: account.publicKey }))).toBe("heard");
      expect(await login(userToken(user, signer))).toBe("AuthorizationError");
      expect(await login(userToken(user, account, {}, { exp: 1 }))).not.toBe("heard");
      const [header, claims, signature] = whole.split(".");
      expect(await login(`${header}.${claims.slice(0, -2)}${claims.endsWith("A") ? "B" : "A"}${claims.at(-1)}.${signature}`)).toBe("AuthorizationError");
    } finally {
      await server.stop();
    }
  });
}

if (isRequired || existsSync(tool)) {
  test("tokens that the nats tool made are read and found sound", () => {
    const home = temporaryFolder("nats-auth");
    const run = (...args: string[]): void => {
      const { exitCode, stderr, stdout } = Bun.spawnSync([tool, "auth", ...args], { env: { ...process.env, XDG_CONFIG_HOME: join(home, "config"), XDG_DATA_HOME: join(home, "data"), HOME: home } });
      expect(exitCode, `nats auth ${args.join(" ")}: ${stderr.toString()}${stdout.toString()}`).toBe(0);
    };
    run("operator", "add", "OP");
    run("account", "add", "ACC", "--operator", "OP", "--defaults");
    run("user", "add", "USER", "ACC", "--operator", "OP", "--defaults");
    const store = join(home, "data/nats/nsc/stores/OP");
    const token = (path: string): string => readFileSync(join(store, path), "utf8").trim();
    const nowS = Date.now() / 1000;
    const op = decodeOperator(token("OP.jwt"));
    expect([op.name, validateOperator(op, nowS).texts]).toEqual(["OP", []]);
    const accounts = readdirSync(join(store, "accounts")).map((name) => decodeAccount(token(`accounts/${name}/${name}.jwt`)));
    expect(accounts.map(({ name }) => name).sort()).toEqual(["ACC", "SYSTEM"]);
    for (const each of accounts) {
      expect(validateAccount(each, nowS).texts).toEqual([]);
      expect([op.sub, ...op.signingKeys]).toContain(each.iss);
    }
    expect(accounts.find(({ name }) => name === "SYSTEM")?.sub).toBe(op.systemAccount);
    const made = decodeUser(token("accounts/ACC/users/USER.jwt"));
    expect([made.name, validateUser(made, nowS).texts]).toEqual(["USER", []]);
    const owner = accounts.find(({ name }) => name === "ACC");
    expect([owner?.sub, ...(owner?.signingKeys.keys() ?? [])]).toContain(made.iss);
  });
}
