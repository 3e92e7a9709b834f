/** Backups of streams: archives as the reference writes and reads them. */
export { EntryWriter } from "./entries.ts";
export { ArchiveError } from "./error.ts";
export { ArchiveReader } from "./reader.ts";
export { S2Writer } from "./s2stream.ts";
export type { ArchivedConsumerState, ArchivedState, ArchiveSink } from "./sink.ts";
export { Restore } from "./restore.ts";
export { Snapshot } from "./snapshot.ts";
