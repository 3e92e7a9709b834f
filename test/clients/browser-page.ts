/** What the browser test's page runs: the NATS client over the browser's own WebSocket. Bundled by the test; its outcome is read from `globalThis.outcome`. */
import { wsconnect } from "@nats-io/nats-core";

/** Set when everything is done. */
export interface Outcome {
  readonly ordered: boolean;
  readonly answers: readonly string[];
  readonly megabyteIntact: boolean;
  readonly extensions: string;
  /** How many WebSocket messages came in, and the longest. */
  readonly messages: number;
  readonly longest: number;
}

const page = globalThis as unknown as { run?: (url: string) => Promise<Outcome> };

page.run = async (url) => {
  let extensions = "";
  let messages = 0;
  let longest = 0;
  const wsFactory = (target: string): Promise<{ socket: WebSocket; encrypted: boolean }> => {
    const socket = new WebSocket(target);
    socket.addEventListener("message", (event: MessageEvent) => {
      extensions = socket.extensions;
      messages++;
      const data: unknown = event.data;
      if (data instanceof ArrayBuffer) longest = Math.max(longest, data.byteLength);
    });
    return Promise.resolve({ socket, encrypted: false });
  };
  const own = await wsconnect({ servers: url, reconnect: false, wsFactory });
  const other = await wsconnect({ servers: url, reconnect: false });

  const received: string[] = [];
  const all = Promise.withResolvers<void>();
  own.subscribe("numbers.*", {
    callback: (_, message) => {
      if (received.push(message.string()) === 2000) all.resolve();
    },
  });
  await own.flush();
  for (let number = 0; number < 2000; number++) other.publish(`numbers.${number % 7}`, String(number));
  await all.promise;

  other.subscribe("echo", { callback: (_, message) => void message.respond(message.data) });
  await other.flush();
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => own.request("echo", String(i), { timeout: 5000 })));
  const megabyte = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * 31 + (i >> 8)) & 255);
  const echoed = await own.request("echo", megabyte, { timeout: 20_000 });
  await own.close();
  await other.close();
  return {
    ordered: received.every((text, i) => text === String(i)),
    answers: answers.map((answer) => answer.string()),
    megabyteIntact: echoed.data.length === megabyte.length && echoed.data.every((byte, i) => byte === megabyte[i]),
    extensions,
    messages,
    longest,
  };
};
