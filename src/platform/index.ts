/** The doors to the outside: time, randomness, files, network. `Platform` is passed down from `main.ts` (or a test) to everything that needs one. */
import type { Clock } from "./clock.ts";
import type { StorageDisk } from "./disk.ts";
import type { HttpClient } from "./http.ts";
import type { Network } from "./network.ts";
import type { Random } from "./random.ts";
import type { System } from "./system.ts";

export type { Clock, Timer } from "./clock.ts";
export type { AppendFile, DirectoryEntry, Disk, DiskLock, StorageDisk, StorageFile } from "./disk.ts";
export { DiskError } from "./disk.ts";
export { HTTP_BODY_MAX, type HttpAnswer, type HttpClient, HttpError, type HttpTls } from "./http.ts";
export type { Listener, Network, Stream, StreamError, StreamHandler, TlsFailure, TlsHandshake, TlsServerContext, TlsServerSettings, TlsState, TlsStream } from "./network.ts";
export { ListenError } from "./network.ts";
export type { Random } from "./random.ts";
export type { SyslogRoad, SyslogRoads } from "./syslog.ts";
export type { PasswordHash, ProcessStats, Profiles, System } from "./system.ts";

export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: StorageDisk;
  readonly network: Network;
  readonly http: HttpClient;
  readonly system: System;
}
