/** /stacksz: what the process is doing, as text. There is one thread of ours, and while it answers it does nothing else; what can be told is its memory. */
import type { MonitorSource } from "./source.ts";

export function stacksz(source: MonitorSource): string {
  const figures = Object.entries(source.platform.system.memoryFigures()).map(([name, bytes]) => `\t${name} ${bytes}\n`);
  return `event loop [running]:\n${new Error("/stacksz").stack?.split("\n").slice(1).join("\n") ?? ""}\n\nmemory (bytes):\n${figures.join("")}`;
}
