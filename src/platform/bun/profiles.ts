/** What the runtime can tell of itself: where its time goes, and what its heap holds. In the forms that the developer tools of browsers open. */
import type { Session } from "node:inspector";
import type { Profiles } from "../system.ts";

let isMeasuring = false;

export const bunProfiles: Profiles = {
  heap: () => new Uint8Array(Bun.generateHeapSnapshot("v8", "arraybuffer")),

  async cpu(durationMs) {
    if (isMeasuring) return undefined;
    isMeasuring = true;
    const { Session } = process.getBuiltinModule("node:inspector");
    const session = new Session();
    try {
      session.connect();
      await ask(session, "Profiler.enable");
      await ask(session, "Profiler.start");
      await new Promise((resolve) => setTimeout(resolve, durationMs));
      const { profile } = (await ask(session, "Profiler.stop")) as { readonly profile: object };
      return Buffer.from(JSON.stringify(profile));
    } finally {
      session.disconnect();
      isMeasuring = false;
    }
  },
};

function ask(session: Session, method: string): Promise<unknown> {
  return new Promise((resolve, reject) => session.post(method, (error: Error | null, result?: object) => (error === null ? resolve(result) : reject(error))));
}
