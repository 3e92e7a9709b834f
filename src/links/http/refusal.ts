/** The answers to what is no acceptable HTTP request, byte for byte as clients know them from Go's HTTP server; each ends the connection. */

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  505: "HTTP Version Not Supported",
};

/** The whole answer. The detail is named in the status line and in the body. */
export function refusal(status: number, detail = ""): string {
  const reason = `${status} ${REASONS[status] ?? ""}`;
  const text = status === 501 ? "Unsupported transfer encoding" : detail === "" ? reason : `${reason}: ${detail}`;
  return `HTTP/1.1 ${status === 501 ? reason : text}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${text}`;
}

/** The answer to plain HTTP on a TLS listener. */
export const NOT_TLS_RESPONSE = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
