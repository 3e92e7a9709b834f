/**
 * Node's built-in modules that only some configurations need, loaded at first use: together they cost 8 MB of resident memory and some milliseconds of every
 * start (measured on the compiled executable), and an idle server on an edge device should not pay for TLS, compression or syslog that it does not use.
 */

export function nodeCrypto(): typeof import("node:crypto") {
  return process.getBuiltinModule("node:crypto");
}

export function nodeZlib(): typeof import("node:zlib") {
  return process.getBuiltinModule("node:zlib");
}

export function nodeNet(): typeof import("node:net") {
  return process.getBuiltinModule("node:net");
}

export function nodeDns(): typeof import("node:dns/promises") {
  return process.getBuiltinModule("node:dns/promises");
}
