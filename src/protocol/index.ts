/** The client protocol: bytes to operations and back. Knows nothing of accounts. */
export type { CloseReason } from "./closereason.ts";
export { defaultConnectOptions, parseConnect } from "./connect.ts";
export type { ConnectOptions } from "./connect.ts";
export { parseHeaders, setHeader } from "./headers.ts";
export { encodeInfo } from "./info.ts";
export type { ServerInfo } from "./info.ts";
export { encodeJson } from "./json.ts";
export { FirstOperation, ParseError, Parser } from "./parser.ts";
export type { OperationHandler } from "./parser.ts";
