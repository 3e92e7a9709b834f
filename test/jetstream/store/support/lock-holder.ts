/** A process that takes a lock and says whether it got it; with `stay` it keeps it until it is ended. */
import { SystemDisk } from "../../../../src/platform/bun/disk.ts";

const [, , path = "", stay] = process.argv;
const lock = new SystemDisk().lock(path);
process.stdout.write(lock === undefined ? "refused\n" : "held\n");
if (lock !== undefined && stay === "stay") setInterval(() => undefined, 1000);
