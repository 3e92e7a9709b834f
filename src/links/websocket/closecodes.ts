/** Which status a WebSocket close frame carries for a close reason. Spec: WebSocket, section 4.1. */

const NORMAL = 1000;
const GOING_AWAY = 1001;
const PROTOCOL_ERROR = 1002;
const POLICY_VIOLATION = 1008;
const TOO_LARGE = 1009;
const SERVER_ERROR = 1011;

const CODES: Readonly<Record<string, number>> = {
  "Client Closed": NORMAL,
  "Authentication Timeout": POLICY_VIOLATION,
  "Authentication Failure": POLICY_VIOLATION,
  "Authentication Expired": POLICY_VIOLATION,
  "Maximum Account Connections Exceeded": POLICY_VIOLATION,
  "Maximum Connections Exceeded": POLICY_VIOLATION,
  "Maximum Control Line Exceeded": POLICY_VIOLATION,
  "Maximum Subscriptions Exceeded": POLICY_VIOLATION,
  "Missing Account": POLICY_VIOLATION,
  "Credentials Revoked": POLICY_VIOLATION,
  "Parse Error": PROTOCOL_ERROR,
  "Protocol Violation": PROTOCOL_ERROR,
  "Bad Client Protocol Version": PROTOCOL_ERROR,
  "Maximum Message Payload Exceeded": TOO_LARGE,
  "Stale Connection": GOING_AWAY,
  "Server Shutdown": GOING_AWAY,
};

/** The peer is not told: it is gone, does not read, or never was a WebSocket. */
const SILENT: ReadonlySet<string> = new Set(["Read Error", "Write Error", "Slow Consumer (Pending Bytes)", "Slow Consumer (Write Deadline)", "TLS Handshake Failure"]);

/** The status for a reason; undefined when no close frame is sent. */
export function closeCode(reason: string): number | undefined {
  return SILENT.has(reason) ? undefined : (CODES[reason] ?? SERVER_ERROR);
}

/** Whether a peer may send this status. */
export function isValidCloseCode(code: number): boolean {
  if (code < NORMAL || code >= 5000) return false;
  if (code === 1004 || code === 1005 || code === 1006 || code === 1015) return false;
  return code < 1016 || code >= 3000;
}
