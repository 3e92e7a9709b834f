/** Streams: configuration, publishing, limits, retention. */
export { checkImplied, draftOf, invalidConfig, isValidStreamName, normaliseStreamConfig, sameConfig } from "./config.ts";
export { selectMessage } from "./directrequest.ts";
export { type DetailedInfo, detailedInfo, infoAfterChange, listedInfo, NO_PAGES, type Paging, stateOf } from "./info.ts";
export { withDynamicMetadata } from "./metadata.ts";
export { checkOriginFilters } from "./origins.ts";
export { timeOf } from "./republish.ts";
export { type RawStreamConfig, streamConfigShape, streamRequestShape } from "./shape.ts";
export { StagedStore } from "./staged.ts";
export { Stream, UnfinishedError } from "./stream.ts";
export { checkOverlap } from "./subjects.ts";
export { checkUpdate } from "./update.ts";
export { whileOpen } from "./whileopen.ts";
