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
  const text = json.toString("utf8");
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (parsed === null) return { ...previous };
  if (!isObject(parsed)) return undefined;
  const result: Record<string, unknown> = { ...previous };
  for (const [name, value] of Object.entries(parsed)) {
    const key = name in result ? name : name.toLowerCase();
    if (value === null) continue;
    if (FOREIGN.get(key)?.(value) === false) return undefined;
    if (!Object.hasOwn(result, key)) continue;
    if (typeof value !== typeof result[key]) return undefined;
    if (typeof value === "number" && !isWrittenAsInteger(text, name)) return undefined;
    result[key] = value;
  }
  return result as unknown as ConnectOptions;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Which subjects another server imports or exports: lists of texts. */
function isSubjectLists(value: unknown): boolean {
  const isList = (list: unknown): boolean => list === undefined || list === null || (Array.isArray(list) && list.every((item) => item === null || typeof item === "string"));
  return isObject(value) && isList(value.allow) && isList(value.deny);
}

/** Keys that only other servers use: a client's are ignored, but must have their form. */
const FOREIGN: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ["remote_account", (value: unknown) => typeof value === "string"],
  ["import", isSubjectLists],
  ["export", isSubjectLists],
]);

/** Whether the number at the top-level key `name` is a 64 bit integer without fraction or exponent. `JSON.parse` tells only its value. */
function isWrittenAsInteger(text: string, name: string): boolean {
  const sources = new Map<unknown, string>();
  const whole: unknown = JSON.parse(text, function (this: unknown, key: string, value: unknown, context?: { readonly source?: string }) {
    if (key === name && typeof value === "number") sources.set(this, context?.source ?? String(value));
    return value;
  });
  const source = sources.get(whole) ?? "";
  return /^-?\d+$/.test(source) && BigInt.asIntN(64, BigInt(source)) === BigInt(source);
}
