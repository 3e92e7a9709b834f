/** Everything that can be seen of an account: its usage, its streams and their messages, their consumers. */
import { comparableMessages } from "./comparable.ts";
import { ACCOUNTS, type AccountName, type Side } from "./pair.ts";

/** Messages that are looked at per stream. */
const MESSAGES_MAX = 300;

interface Info {
  readonly state: { readonly first_seq: number; readonly last_seq: number };
}

async function text(side: Side, subject: string, body: unknown, account: AccountName): Promise<string> {
  return `${subject} ${account}: `.concat(comparableMessages(await side.request({ subject: `$JS.API.${subject}`, payload: body === "" ? "" : JSON.stringify(body), account }, 2000)).join(" "));
}

/** What one stream looks like: its info with every detail, its messages. */
export async function streamState(side: Side, name: string, account: AccountName = "A"): Promise<readonly string[]> {
  const texts = [await text(side, `STREAM.INFO.${name}`, { subjects_filter: ">", deleted_details: true }, account)];
  const info = await side.ask<Partial<Info>>(`STREAM.INFO.${name}`, "", account);
  if (info?.state === undefined) return texts;
  const { first_seq: first, last_seq: last } = info.state;
  const sequences = Array.from({ length: Math.min(MESSAGES_MAX, Math.max(0, last - first + 1)) }, (_, index) => first + index);
  return texts.concat(await Promise.all(sequences.map(async (seq) => `${seq}: ${await text(side, `STREAM.MSG.GET.${name}`, { seq }, account)}`)));
}

/** Everything in both accounts. Consumers' infos are left to who hunts for consumers. */
export async function wholeState(side: Side): Promise<readonly string[]> {
  const all: string[] = [];
  for (const account of ACCOUNTS) {
    all.push(await text(side, "INFO", "", account));
    const names = (await side.ask<{ streams: string[] | null }>("STREAM.NAMES", "", account))?.streams ?? [];
    all.push(`names ${account}: ${names.join(" ")}`);
    for (const name of names) all.push(...(await streamState(side, name, account)));
  }
  return all;
}
