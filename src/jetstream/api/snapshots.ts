/** Backups of streams: SNAPSHOT and RESTORE. */
import type { Route } from "./router.ts";

export const snapshotRoutes: readonly Route[] = [];
