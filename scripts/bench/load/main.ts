/**
 * A load process: takes one order (JSON, first argument), drives the server with it, prints the answer as JSON, ends.
 */
import type { Figure } from "../figures.ts";
import { runConnects } from "./connects.ts";
import { runJetStream } from "./jetstream/run.ts";
import { orFailure } from "./failure.ts";
import { runFlow } from "./flow.ts";
import { runRequests } from "./requests.ts";
import type { LoadAnswer, LoadOrder } from "./spec.ts";
import { runSubscribes } from "./subscribes.ts";
import { runWildcards } from "./wildcards.ts";

function run({ spec, target }: LoadOrder): Promise<Figure[]> {
  switch (spec.kind) {
    case "flow": return runFlow(spec, target);
    case "requests": return runRequests(spec, target);
    case "wildcards": return runWildcards(spec, target);
    case "connects": return runConnects(spec, target);
    case "subscribes": return runSubscribes(spec, target);
    case "jetstream": return runJetStream(spec, target);
  }
}

async function answer(order: LoadOrder): Promise<LoadAnswer> {
  try {
    return { figures: await orFailure(run(order)) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

const result = await answer(JSON.parse(process.argv[2]) as LoadOrder);
await Bun.write(Bun.stdout, `${JSON.stringify(result)}\n`);
process.exit("error" in result ? 1 : 0);
