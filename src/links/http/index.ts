/** HTTP/1.1 on platform streams. */
export { HEAD_BYTES_MAX, type HeadVerdict, hasToken, headerValues, parseRequestHead, type RequestHead } from "./head.ts";
