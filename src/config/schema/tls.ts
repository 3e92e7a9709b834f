/** `tls {}`, wherever it stands. The files it names are read with the configuration, so a bad certificate is a configuration error with a place. */
import { DiskError } from "../../platform/index.ts";
import { msOfNs, parseDuration } from "../../util/duration.ts";
import { goQuote } from "../../util/quote.ts";
import type { CertificatePair, TlsOptions } from "../options.ts";
import { readCertificatePair, readRoots, TlsFileError } from "../tlsfiles.ts";
import { type Node, plainText, typeName } from "../values.ts";
import { type AnyOption, type BlockReading, type Entry, type Form, option, type Reading, type UnknownKeys, wrongType } from "./form.ts";
import { block } from "./forms.ts";
import { ocspPeer } from "./ocsp.ts";

const PREFIX = "error parsing tls config";
const HASH = "hex-encoded sha256 of DER encoded SubjectPublicKeyInfo";
const AUTO_FALLBACK_MS = 50;

export const SECURE_CIPHER_SUITES: readonly string[] = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
  "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
  "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
];

export const INSECURE_CIPHER_SUITES: readonly string[] = [
  "TLS_RSA_WITH_RC4_128_SHA",
  "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
  "TLS_RSA_WITH_AES_128_CBC_SHA",
  "TLS_RSA_WITH_AES_256_CBC_SHA",
  "TLS_RSA_WITH_AES_128_CBC_SHA256",
  "TLS_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
  "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
  "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
  "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
];

export const CURVES: readonly string[] = [
  "X25519MLKEM768",
  "SecP384r1MLKEM1024",
  "SecP256r1MLKEM768",
  "X25519",
  "CurveP256",
  "CurveP384",
  "CurveP521",
];

const fileName: Form<string> = {
  label: "file name",
  read({ name, node }, reading) {
    if (node.value.kind === "string") return node.value.text;
    reading.error(node.position, `${PREFIX}, expected '${name}' to be filename`);
    return undefined;
  },
};

const tlsFlag: Form<boolean> = {
  label: "boolean",
  read({ name, node }, reading) {
    if (node.value.kind === "boolean") return node.value.boolean;
    reading.error(node.position, `${PREFIX}, expected '${name}' to be a boolean`);
    return undefined;
  },
};

/** A non-empty array of names out of a fixed set. */
function names(known: readonly string[], unknown: string): Form<readonly string[]> {
  return {
    label: "list of strings",
    read({ name, node }, reading) {
      if (node.value.kind !== "array") throw wrongType(node, "[]interface {}");
      if (node.value.items.length === 0) reading.error(node.position, `${PREFIX}, '${name}' cannot be empty`);
      return node.value.items.map((item) => {
        if (item.value.kind !== "string") throw wrongType(item, "string");
        if (!known.includes(item.value.text)) reading.error(item.position, `${unknown} ${item.value.text}`);
        return item.value.text;
      });
    },
  };
}

const timeout: Form<number> = {
  label: "seconds or duration",
  read({ name, node }, reading) {
    const { value } = node;
    if (value.kind === "integer") return Number(value.integer) * 1000;
    if (value.kind === "float") return value.float * 1000;
    const parsed = value.kind === "string" ? parseDuration(value.text) : undefined;
    if (parsed?.ok === true) return msOfNs(parsed.ns);
    reading.error(node.position, `${PREFIX}, '${name}' ${parsed === undefined ? "wrong type" : parsed.error}`);
    return undefined;
  },
};

const rateLimit: Form<number> = {
  label: "integer",
  read({ name, node }, reading) {
    if (node.value.kind === "integer") return Number(node.value.integer);
    reading.error(node.position, `${PREFIX}, '${name}' wrong type`);
    return undefined;
  },
};

const pinnedCerts: Form<readonly string[]> = {
  label: "list of SHA-256 in hex",
  read({ name, node }, reading) {
    if (node.value.kind !== "array") {
      reading.error(node.position, `${PREFIX}, expected '${name}' to be a list of ${HASH}`);
      return undefined;
    }
    return node.value.items.map((item) => {
      if (item.value.kind !== "string") throw wrongType(item, "string");
      const key = item.value.text.toLowerCase();
      if (!/^[0-9a-f]{64}$/.test(key)) reading.error(item.position, `${PREFIX}, '${name}' key ${key} does not look like ${HASH}`);
      return key;
    });
  },
};

interface HandshakeFirst {
  readonly first: boolean;
  readonly fallbackMs: number;
}

const handshakeFirst: Form<HandshakeFirst> = {
  label: "boolean, `auto`, or duration",
  read({ key, node }, reading) {
    const { value } = node;
    if (value.kind === "boolean") return { first: value.boolean, fallbackMs: 0 };
    if (value.kind !== "string") {
      reading.error(node.position, `field ${goQuote(key)} should be a boolean or a string, got ${typeName(value)}`);
      return undefined;
    }
    const word = value.text.trim().toLowerCase();
    if (word === "true" || word === "on") return { first: true, fallbackMs: 0 };
    if (word === "false" || word === "off") return { first: false, fallbackMs: 0 };
    if (word === "auto" || word === "auto_fallback") return { first: true, fallbackMs: AUTO_FALLBACK_MS };
    const parsed = parseDuration(word);
    if (parsed.ok) return { first: true, fallbackMs: msOfNs(parsed.ns) };
    reading.error(node.position, `field ${goQuote(key)}'s value ${goQuote(value.text)} is invalid`);
    return undefined;
  },
};

const minVersion: Form<"1.2" | "1.3"> = {
  label: "`\"1.2\"` or `\"1.3\"`",
  read({ name, node }, reading) {
    if (node.value.kind !== "string") {
      reading.error(node.position, `${PREFIX}: '${name}' wrong type: ${plainText(node.value)}`);
      return undefined;
    }
    const version = node.value.text;
    if (version === "1.2" || version === "1.3") return version;
    const old = version === "1.0" || version === "1.1";
    reading.error(node.position, `${PREFIX}: ${old ? `unsupported TLS version: TLS ${version}` : `unknown version: ${version}`}`);
    return undefined;
  },
};

interface PairNames {
  readonly certFile: string;
  readonly keyFile: string;
}

/** `certs`: pairs of files. The error texts name types the reference's way, the block's for a value that is not a list. */
const pairs: Form<readonly PairNames[]> = {
  label: "list of `{cert_file, key_file}`",
  read({ node }, reading) {
    if (node.value.kind !== "array") {
      reading.error(node.position, "error parsing certificates config: unsupported type map[string]interface {}");
      return undefined;
    }
    return node.value.items.flatMap((item) => pairNames(item, reading) ?? []);
  },
};

function pairNames(item: Node, reading: Reading): PairNames | undefined {
  if (item.value.kind !== "map") {
    reading.error(item.position, `error parsing certificates config: unsupported type ${typeName(item.value)}`);
    return undefined;
  }
  const found = { cert_file: "", key_file: "" };
  let last = item;
  for (const [key, node] of item.value.entries) {
    last = node;
    if (node.value.kind !== "string") {
      reading.error(node.position, `error parsing certificates config: unsupported type ${typeName(node.value)}`);
      return undefined;
    }
    if (key !== "cert_file" && key !== "key_file") {
      reading.error(node.position, `error parsing tls certs config, unknown field ${goQuote(key)}`);
      return undefined;
    }
    found[key] = node.value.text;
  }
  if (found.cert_file === "" || found.key_file === "") {
    reading.error(last.position, "error parsing certificates config: both 'cert_file' and 'cert_key' options are required");
    return undefined;
  }
  return { certFile: found.cert_file, keyFile: found.key_file };
}

function nonEmpty(check: (value: string) => string | undefined): Form<string> {
  return {
    label: "string",
    read({ name, node }, reading) {
      const written = node.value.kind === "string" ? node.value.text : "";
      const problem = written === "" ? `expected '${name}' to be a valid non-empty string` : check(written);
      if (problem === undefined) return written;
      reading.error(node.position, problem);
      return undefined;
    },
  };
}

const certStore = nonEmpty((store) =>
  /^windows(currentuser|localmachine)$/i.test(store) ? "cert_store not compatible with current operating system" : "cert store type not implemented",
);
const certMatchBy = nonEmpty((by) => (/^(issuer|subject|thumbprint)$/i.test(by) ? undefined : "cert match by type not implemented"));

const caCertsMatch: Form<readonly string[]> = {
  label: "string or list of strings",
  read({ node }, reading) {
    const items = node.value.kind === "array" ? node.value.items : [node];
    return items.flatMap((item) => {
      if (item.value.kind === "string") return [item.value.text];
      reading.error(item.position, `error parsing ca_cert_match: unsupported type ${typeName(item.value)} where string is expected`);
      return [];
    });
  },
};

const skipInvalid: Form<boolean> = {
  label: "boolean",
  read({ name, node }, reading) {
    if (node.value.kind === "boolean") return node.value.boolean;
    reading.error(node.position, `expected '${name}' to be a boolean`);
    return undefined;
  },
};

const knownUrlsElsewhere: Form<boolean> = {
  label: "boolean",
  read(entry, reading) {
    const value = tlsFlag.read(entry, reading);
    if (value !== true) return value;
    reading.error(entry.node.position, "verify_cert_and_check_known_urls not supported in this context");
    return undefined;
  },
};

export const tlsBlock = {
  cert_file: option(fileName, "PEM file of the certificate, intermediates after it."),
  key_file: option(fileName, "PEM file of its private key."),
  ca_file: option(fileName, "PEM file of the roots that peers must chain to; the system's roots when absent."),
  certs: option(pairs, "Several certificates; the client's server name selects.", { aliases: ["certificates"] }),
  insecure: option(tlsFlag, "Outgoing connections only: do not verify the peer.", { default: "false" }),
  verify: option(tlsFlag, "Require and verify client certificates.", { default: "false" }),
  verify_and_map: option(tlsFlag, "As `verify`, and take the user from the certificate.", { default: "false" }),
  verify_cert_and_check_known_urls: option(knownUrlsElsewhere, "Cluster and gateway: the peer's certificate must name a configured host.", {
    default: "false",
  }),
  cipher_suites: option(names([...SECURE_CIPHER_SUITES, ...INSECURE_CIPHER_SUITES], "unrecognized cipher"), "TLS 1.2 suites by IANA name.", {
    default: "the secure ones",
  }),
  allow_insecure_cipher_suites: option(tlsFlag, "Allow suites that are known to be weak.", { default: "false" }),
  curve_preferences: option(names(CURVES, "unrecognized curve preference"), "Accepted key exchange groups.", { default: "all" }),
  timeout: option(timeout, "Time for a handshake.", { default: "2s" }),
  connection_rate_limit: option(rateLimit, "Handshakes per second on the client listener.", { default: "0 (none)" }),
  pinned_certs: option(pinnedCerts, `Only these peers: ${HASH}.`),
  handshake_first: option(handshakeFirst, "TLS before INFO; with `auto` or a delay, INFO follows when no handshake comes.", {
    aliases: ["first", "immediate"],
    default: "false",
  }),
  min_version: option(minVersion, "Lowest TLS version.", { default: "\"1.2\"" }),
  ocsp_peer: option(ocspPeer, "Check peers' certificates with OCSP.", { notBuilt: (on) => on }),
  cert_store: option(certStore, "Windows certificate store."),
  cert_match_by: option(certMatchBy, "Windows certificate store: field to match."),
  cert_match: option(nonEmpty(() => undefined), "Windows certificate store: value to match."),
  ca_certs_match: option(caCertsMatch, "Windows certificate store: roots to match."),
  cert_match_skip_invalid: option(skipInvalid, "Windows certificate store: pass over certificates outside their validity."),
} satisfies Record<string, AnyOption>;

/** For cluster and gateway, whose peers are known by their URLs. */
const linkTlsBlock = { ...tlsBlock, verify_cert_and_check_known_urls: option(tlsFlag, tlsBlock.verify_cert_and_check_known_urls.help, { default: "false" }) };

const unknownKeys: UnknownKeys = { text: (key) => `${PREFIX}, unknown field ${goQuote(key)}`, exceptUsed: false };

export const DEFAULT_TLS: TlsOptions = {
  certificates: [],
  caFile: "",
  caPem: "",
  verify: false,
  verifyAndMap: false,
  verifyCertAndCheckKnownUrls: false,
  insecure: false,
  cipherSuites: [],
  curvePreferences: [],
  minVersion: "1.2",
  timeoutMs: 2000,
  connectionRateLimit: 0,
  pinnedCerts: [],
  handshakeFirst: false,
  handshakeFirstFallbackMs: 0,
};

/** `tls {}` of a listener for clients of any kind. */
export const tls: Form<TlsOptions> = block(tlsBlock, "wrong type", build, unknownKeys);

/** `tls {}` of a cluster or gateway. */
export const linkTls: Form<TlsOptions> = block(linkTlsBlock, "wrong type", build, unknownKeys);

function build({ values }: BlockReading<typeof tlsBlock>, { node }: Entry, reading: Reading): TlsOptions | undefined {
  const before = reading.errors.length;
  const fail = (problem: string): void => reading.error(node.position, problem);
  const certFile = values.cert_file ?? "";
  const keyFile = values.key_file ?? "";
  const many = values.certs ?? [];
  if (certFile !== "" && many.length > 0) fail(`${PREFIX}, cannot combine 'cert_file' option with 'certs' option`);

  const insecureSuites = (values.cipher_suites ?? []).filter((suite) => INSECURE_CIPHER_SUITES.includes(suite));
  if (insecureSuites.length > 0 && values.allow_insecure_cipher_suites !== true) {
    fail(`insecure cipher suites configured without 'allow_insecure_cipher_suites' option set: ${insecureSuites.join(", ")}`);
  }
  if (reading.errors.length > before) return undefined;
  if (certFile !== "" && keyFile === "") fail("missing 'key_file' in TLS configuration");
  if (certFile === "" && keyFile !== "") fail("missing 'cert_file' in TLS configuration");
  if (reading.errors.length > before) return undefined;

  const knownUrls = values.verify_cert_and_check_known_urls ?? false;
  const verifyAndMap = values.verify_and_map ?? false;
  try {
    const single = certFile === "" ? [] : [readCertificatePair(reading.disk, certFile, keyFile, "")];
    return {
      ...DEFAULT_TLS,
      certificates: [...single, ...readPairs(many, reading)],
      caFile: values.ca_file ?? "",
      caPem: values.ca_file === undefined || values.ca_file === "" ? "" : readRoots(reading.disk, values.ca_file),
      verify: (values.verify ?? false) || verifyAndMap || knownUrls,
      verifyAndMap,
      verifyCertAndCheckKnownUrls: knownUrls,
      insecure: values.insecure ?? false,
      cipherSuites: values.cipher_suites ?? [],
      curvePreferences: values.curve_preferences ?? [],
      minVersion: values.min_version ?? "1.2",
      timeoutMs: values.timeout ?? DEFAULT_TLS.timeoutMs,
      connectionRateLimit: values.connection_rate_limit ?? 0,
      pinnedCerts: values.pinned_certs ?? [],
      handshakeFirst: values.handshake_first?.first ?? false,
      handshakeFirstFallbackMs: values.handshake_first?.fallbackMs ?? 0,
    };
  } catch (error) {
    if (!(error instanceof TlsFileError) && !(error instanceof DiskError)) throw error;
    fail(error.message);
    return undefined;
  }
}

function readPairs(many: readonly PairNames[], reading: Reading): CertificatePair[] {
  return many.map(({ certFile, keyFile }, index) => readCertificatePair(reading.disk, certFile, keyFile, ` ${index + 1}/${many.length}`));
}

