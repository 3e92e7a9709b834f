/** `conf/README.md` is what the tables say. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { confReference } from "../../scripts/conf-reference.ts";

test("the reference of options is up to date", async () => {
  expect(await Bun.file(join(import.meta.dir, "../../conf/README.md")).text()).toBe(confReference());
});
