/**
 * The CONNECT options: what a client says of itself. Keys are matched without regard to case, unknown ones are ignored, a value of the wrong type makes the
 * whole CONNECT malformed. Spec: client protocol, section 3.
 */
export interface ConnectOptions {
  verbose: boolean;
  pedantic: boolean;
  echo: boolean;
  tls_required: boolean;
  auth_token: string;
  user: string;
  pass: string;
  nkey: string;
  jwt: string;
  sig: string;
  name: string;
  lang: string;
  version: string;
  protocol: number;
  headers: boolean;
  no_responders: boolean;
  account: string;
  new_account: boolean;
  proxy_sig: string;
}

/** What holds for a client that never sent CONNECT, and for every key it leaves out. */
export function defaultConnectOptions(): ConnectOptions {
  return {
    verbose: true,
    pedantic: true,
    echo: true,
    tls_required: false,
    auth_token: "",
    user: "",
    pass: "",
    nkey: "",
    jwt: "",
    sig: "",
    name: "",
    lang: "",
    version: "",
    protocol: 0,
    headers: false,
    no_responders: false,
    account: "",
    new_account: false,
    proxy_sig: "",
  };
}

/**
 * Lays the JSON of a CONNECT over `previous` (a second CONNECT keeps what it leaves out). Undefined when it is not a JSON object or a value has the
 * wrong type.
 */
export function parseConnect(json: Buffer, previous: ConnectOptions): ConnectOptions | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json.toString("utf8"));
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
  const result: Record<string, unknown> = { ...previous };
  for (const [name, value] of Object.entries(parsed)) {
    const key = name in result ? name : name.toLowerCase();
    if (!Object.hasOwn(result, key) || value === null) continue;
    if (typeof value !== typeof result[key]) return undefined;
    if (typeof value === "number" && !Number.isInteger(value)) return undefined;
    result[key] = value;
  }
  return result as unknown as ConnectOptions;
}
