/** HTTP/1.1 on platform streams. */
export { type BodyFraming, BodySkipper, bodyFraming } from "./body.ts";
export { HttpConnection, type HttpRequest, type HttpResponse, type HttpSettings } from "./connection.ts";
export { HEAD_BYTES_MAX, type HeadVerdict, hasToken, headEnd, headerValues, hostFault, parseRequestHead, type RequestHead } from "./head.ts";
export { NOT_TLS_RESPONSE, refusal } from "./refusal.ts";
export { parseTarget } from "./target.ts";
